//! The Prometheus text format, version 0.0.4, and how it is asked for.

use core::fmt::Write as _;

#[cfg(feature = "tokio")]
pub(crate) use scrape::{answer, only_this_machine_reaches};

/// Names and values of the labels of a sample.
pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

/// A text that is being written.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

// Writing to a string does not fail; what `write!` returns is not looked at.
impl Exposition {
    /// Begins a metric; its samples follow.
    pub(crate) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of the metric that was begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: u64) {
        self.text.push_str(name);
        for (number, (label, text)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }

    /// A metric with one sample.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: u64) {
        self.metric(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// The three characters that a label's value must have escaped.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// What a listener for metrics shares with the other.
#[cfg(feature = "tokio")]
mod scrape {
    use core::net::SocketAddr;

    use bytes::Bytes;
    use http::header::{ALLOW, CONTENT_TYPE};
    use http::{HeaderValue, Method, Request, Response, StatusCode};
    use http_body_util::Full;

    /// Metrics are served without authentication: whether nobody else can ask for them at this address.
    pub(crate) fn only_this_machine_reaches(address: SocketAddr) -> bool {
        address.ip().to_canonical().is_loopback()
    }

    /// The answer to a request at an address that has metrics and nothing else.
    pub(crate) fn answer<B>(request: &Request<B>, text: impl FnOnce() -> String) -> Response<Full<Bytes>> {
        let (status, text) = if request.uri().path() != "/metrics" {
            let text = "nothing here; ask for /metrics\n".to_owned();
            (StatusCode::NOT_FOUND, text)
        } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
            (StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n".to_owned())
        } else {
            (StatusCode::OK, text())
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_described_once_and_a_label_cannot_break_its_line() {
        let mut out = Exposition::default();
        out.single("up_seconds", Kind::Gauge, "Since when.", 7);
        out.metric("seen_total", Kind::Counter, "Seen.");
        out.sample("seen_total", &[("who", "a\"b\\c\nd"), ("how", "x")], 1);
        out.sample("seen_total", &[("who", "e")], 2);
        assert_eq!(
            out.into_text(),
            "# HELP up_seconds Since when.\n# TYPE up_seconds gauge\nup_seconds 7\n\
             # HELP seen_total Seen.\n# TYPE seen_total counter\n\
             seen_total{who=\"a\\\"b\\\\c\\nd\",how=\"x\"} 1\nseen_total{who=\"e\"} 2\n"
        );
    }
}
