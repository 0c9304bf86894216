//! HTTP requests as parts, each of which can be wrong.

/// A field line (RFC 9112 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Vec<u8>,
    /// What stands between name and value.
    pub(super) colon: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// What ends the line.
    pub(super) end: Vec<u8>,
}

impl Field {
    pub(super) fn new(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            colon: b": ".to_vec(),
            value: value.as_ref().to_vec(),
            end: b"\r\n".to_vec(),
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// How the end of the body is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// Fields and body are as they are to be sent.
    #[default]
    AsIs,
    /// By `Content-Length`.
    Length,
    /// By chunks of at most so many bytes.
    Chunked(usize),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) version: Vec<u8>,
    /// What ends the request line and the head.
    pub(super) end: Vec<u8>,
    pub(super) fields: Vec<Field>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
}

impl Draft {
    pub(super) fn new(method: &str, target: impl AsRef<[u8]>, host: &str) -> Self {
        Self {
            method: method.as_bytes().to_vec(),
            target: target.as_ref().to_vec(),
            version: b"HTTP/1.1".to_vec(),
            end: b"\r\n".to_vec(),
            fields: vec![Field::new("Host", host)],
            body: Vec::new(),
            framing: Framing::AsIs,
        }
    }

    /// With a field more.
    pub(super) fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields.push(Field::new(name, value));
        self
    }

    /// Without the fields of this name.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| !field.is(name));
        self
    }

    /// With a field in the place of those of its name.
    pub(super) fn replaced(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).with(name, value)
    }

    /// With a body.
    pub(super) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The fields that belong to the framing put in, and the body as it travels: nothing is left to do.
    pub(super) fn framed(mut self) -> Self {
        match core::mem::take(&mut self.framing) {
            Framing::AsIs => {}
            Framing::Length => {
                let length = self.body.len().to_string();
                self.fields.push(Field::new("Content-Length", length));
            }
            Framing::Chunked(size) => {
                self.fields.push(Field::new("Transfer-Encoding", "chunked"));
                self.body = chunked(&self.body, size);
            }
        }
        self
    }

    /// The head as bytes; the framing must be put in before.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut bytes = [
            self.method.as_slice(),
            b" ",
            &self.target,
            b" ",
            &self.version,
            &self.end,
        ]
        .concat();
        for field in &self.fields {
            for part in [&field.name, &field.colon, &field.value, &field.end] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(&self.end);
        bytes
    }

    /// The head without the empty line that ends it, for fields that are added while the case is played.
    pub(super) fn open_head(&self) -> Vec<u8> {
        let mut head = self.head();
        head.truncate(head.len().saturating_sub(self.end.len()));
        head
    }

    /// The request as bytes.
    pub(super) fn bytes(self) -> Vec<u8> {
        let framed = self.framed();
        let mut bytes = framed.head();
        bytes.extend(framed.body);
        bytes
    }
}

/// A body in chunks, with the last one (RFC 9112 section 7.1).
pub(super) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size.max(1)) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_rfc_9112_has_it() {
        let mut draft = Draft::new("POST", "/x", "h").with("A", "b").with_body(*b"hello");
        draft.framing = Framing::Length;
        let expected = "POST /x HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(String::from_utf8(draft.clone().bytes()).unwrap(), expected);
        draft.framing = Framing::Chunked(3);
        let expected = "POST /x HTTP/1.1\r\nHost: h\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(String::from_utf8(draft.bytes()).unwrap(), expected);
    }
}
