//! libest's `estserver` under the same load, when it is installed: as it is, and with `TCP_NODELAY` forced on its
//! sockets, without which it waits some 44 ms per answer for a delayed acknowledgement.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pki_common::tls::TlsVersions;

use super::load::{self, Load, PASSWORD, Requests, Target, USER, Until};
use super::server_role::Role;
use super::{Bench, Rates, report};

/// Wraps `accept`, so that every connection of an unchanged program has `TCP_NODELAY`.
const NODELAY: &str = include_str!("nodelay.c");
/// The user that `estserver` knows.
const ESTSERVER_USER: (&str, &str) = ("estuser", "estpwd");
/// `estserver` writes a file and a database line for each certificate; this many show its rate.
const SPAN: Duration = Duration::from_secs(3);
/// Requests prepared for one load.
const PREPARED: usize = 2_000;

/// Prints our rate over libest's, for four loads and both ways to run it.
#[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
pub(crate) async fn compare(bench: &Bench<'_>) {
    let Some(program) = find("estserver") else {
        println!("libest                                               skipped: not installed: estserver");
        return;
    };
    let mut ours = Role::Durable.start(bench.folder);
    for forced in [false, true] {
        let preload = forced.then(|| nodelay(bench.folder)).flatten();
        if forced && preload.is_none() {
            println!("libest with TCP_NODELAY                              skipped: no C compiler");
            continue;
        }
        let files = bench
            .folder
            .join(if forced { "libest-nodelay" } else { "libest" });
        let theirs = EstServer::start(&program, &files, preload.as_deref());
        let named = if forced {
            "libest with TCP_NODELAY"
        } else {
            "libest as shipped"
        };
        for (number, (what, clients, keep_alive, enrol)) in LOADS.into_iter().enumerate() {
            let load = Load {
                clients,
                keep_alive,
                until: Until::Elapsed(SPAN),
            };
            let requests = |user, password| requests(enrol, user, password, number);
            let of_ours = bench.measure(&mut ours, &requests(USER, PASSWORD), load).await;
            let of_theirs = theirs
                .measure(&requests(ESTSERVER_USER.0, ESTSERVER_USER.1), load)
                .await;
            report(what, named, &[(of_ours, of_theirs)]);
        }
    }
    ours.stop();
}

const LOADS: [(&str, usize, bool, bool); 4] = [
    ("cacerts, new connections, 16 clients", 16, false, false),
    ("cacerts, keep-alive, 4 clients", 4, true, false),
    ("enrol, new connections, 16 clients", 16, false, true),
    ("enrol, keep-alive, 4 clients", 4, true, true),
];

fn requests(enrol: bool, user: &str, password: &str, number: usize) -> Requests {
    if enrol {
        load::enrolments(PREPARED * 8, user, password, (1000 + number) * PREPARED * 8)
    } else {
        load::cacerts()
    }
}

/// The wrapper as a shared library, if there is a compiler.
fn nodelay(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("nodelay.c"), folder.join("nodelay.so"));
    fs::write(&source, NODELAY).expect("a folder of our own");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status()
        .ok()?;
    built.success().then_some(library)
}

struct EstServer {
    child: Child,
    target: Target,
}

impl EstServer {
    /// Starts it on the first core with a certificate authority of its own. It takes no port 0, so a free one is
    /// looked for.
    fn start(program: &Path, folder: &Path, preload: Option<&Path>) -> Self {
        authority(folder);
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address: SocketAddr = free.local_addr().expect("bound");
        drop(free);
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
            .args(["-c", "server.pem", "-k", "server.key", "-r", "bench", "-p"])
            .arg(address.port().to_string())
            .current_dir(folder)
            .env("EST_TRUSTED_CERTS", "ca.pem")
            .env("EST_CACERTS_RESP", "ca.pem")
            .env("EST_OPENSSL_CACONFIG", "ca.cnf")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let child = command.spawn().expect("taskset and estserver start");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "estserver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            child,
            target: Target::new(address, &folder.join("ca.pem"), TlsVersions::Tls12),
        }
    }

    async fn measure(&self, requests: &Requests, load: Load) -> Rates {
        let before = processor_seconds(self.child.id());
        let started = Instant::now();
        let seen = load::run(&self.target, requests, load).await;
        let answers = seen * started.elapsed().as_secs_f64();
        Rates {
            seen,
            per_processor_second: answers / (processor_seconds(self.child.id()) - before),
        }
    }
}

impl Drop for EstServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// User and system time of a process, in seconds; the kernel counts in hundredths.
fn processor_seconds(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The certificate authority by OpenSSL that `estserver` asks.
fn authority(folder: &Path) {
    fs::create_dir_all(folder.join("newcerts")).expect("a folder of our own");
    for (name, text) in [
        ("index.txt", ""),
        ("serial", "1000\n"),
        ("ca.cnf", CA_CONFIGURATION),
    ] {
        fs::write(folder.join(name), text).expect("a folder of our own");
    }
    fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\n").expect("a folder of our own");
    for arguments in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=libest -days 30",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.pem",
    ] {
        let done = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null())
            .status()
            .expect("openssl starts");
        assert!(done.success(), "openssl {arguments}");
    }
}

const CA_CONFIGURATION: &str = "\
[ ca ]
default_ca = default
[ default ]
database = index.txt
new_certs_dir = newcerts
certificate = ca.pem
private_key = ca.key
serial = serial
default_days = 30
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
x509_extensions = leaf
[ any ]
domainComponent = optional
organizationalUnitName = optional
commonName = optional
[ leaf ]
basicConstraints = CA:FALSE
";
