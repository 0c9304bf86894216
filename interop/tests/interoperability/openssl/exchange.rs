//! A message by `openssl s_client` to our EST server and back, in files that `openssl` reads.

use super::{openssl, s_client};
use crate::support::est::raw;
use crate::support::lab::Lab;

/// The media type of a PKCS #10 request.
pub(super) const PKCS10: &str = "application/pkcs10";

/// The media type of a CMC request.
pub(super) const CMC: &str = "application/pkcs7-mime; smime-type=CMC-request";

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// Posts the file of the folder, which is DER, as the user of the laboratory.
pub(super) async fn post(lab: &Lab, operation: &str, media_type: &str, file: &str) -> Answer {
    let folder = &lab.folder;
    let body = openssl(folder, &format!("base64 -A -in {file}")).await;
    let (length, authorization) = (body.len(), raw::authorization());
    let request = format!(
        "POST /.well-known/est/{operation} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\
         Content-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let output = s_client(folder, &lab.port(), &["-quiet"], &request).await;
    let answer = String::from_utf8(output.stdout).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?} {}", String::from_utf8_lossy(&output.stderr)));
    let status = head.split(' ').nth(1).and_then(|digits| digits.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("{head}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Answer {
    /// Has `openssl base64` write the body into a file.
    pub(super) async fn save(&self, lab: &Lab, file: &str) {
        decode(lab, &self.body, file).await;
    }

    /// The parts of a multipart answer: the head and the body of each.
    pub(super) fn parts(&self) -> Vec<(&str, &str)> {
        let boundary = self
            .head
            .split("boundary=")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let boundary = boundary.unwrap_or_else(|| panic!("no boundary in {}", self.head));
        let delimiter = format!("--{}", boundary.trim_matches('"'));
        // What stands before the first delimiter and behind the last is no part.
        let pieces: Vec<_> = self.body.split(&delimiter).collect();
        let last = pieces.last().unwrap();
        assert!(last.starts_with("--"), "the last delimiter is missing: {last}");
        let parts = pieces[1..pieces.len() - 1].iter();
        parts.map(|part| part.split_once("\r\n\r\n").unwrap()).collect()
    }
}

/// Has `openssl base64` write this text into a file.
pub(super) async fn decode(lab: &Lab, text: &str, file: &str) {
    let encoded = format!("{file}.b64");
    lab.folder.write(&encoded, text.trim());
    openssl(&lab.folder, &format!("base64 -d -A -in {encoded} -out {file}")).await;
}

/// An element of DER whose length takes two octets more: `openssl` reads lengths that are longer than needed.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let length = match length {
        0..=0x7f => vec![u8::try_from(length).unwrap()],
        _ => [&[0x82], &u16::try_from(length).unwrap().to_be_bytes()[..]].concat(),
    };
    [&[tag], &length[..], &content].concat()
}
