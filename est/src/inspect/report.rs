//! What is told about a file, as text for people and as JSON for programs.

use core::fmt;

use pki_common::Escaped;
use serde::ser::{Serialize, SerializeMap as _, SerializeStruct as _, Serializer};

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it is: `certificate`, `certification request`, `certs-only message`, ...
    pub kind: &'static str,
    /// How it is written: `DER`, `PEM`, `base64`, `HTTP`.
    pub encoding: String,
    /// What it says, in a fixed order.
    pub facts: Vec<Fact>,
    /// What is wrong with it, one sentence each.
    pub problems: Vec<String>,
    /// What is inside.
    pub parts: Vec<Self>,
}

/// A name and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The name, in lower case.
    pub name: &'static str,
    /// One text or several.
    pub value: Value,
}

/// One text or a list of them; in JSON, a list stays a list however long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl Fact {
    /// A fact of one text.
    pub fn one(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            value: Value::One(value.into()),
        }
    }

    /// A fact that is a list.
    #[must_use]
    pub const fn many(name: &'static str, values: Vec<String>) -> Self {
        Self {
            name,
            value: Value::Many(values),
        }
    }
}

impl Report {
    pub(super) fn new(kind: &'static str, encoding: &str) -> Self {
        Self {
            kind,
            encoding: encoding.to_owned(),
            facts: Vec::new(),
            problems: Vec::new(),
            parts: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push(Fact::one(name, value));
        self
    }

    pub(super) fn with_list(mut self, name: &'static str, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.facts.push(Fact::many(name, values));
        }
        self
    }

    pub(super) fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problems.push(problem.into());
        self
    }

    /// Whether a problem was found here or inside.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty() || self.parts.iter().any(Self::has_problems)
    }

    /// The text of a fact, `None` when it is a list or not there.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts
            .iter()
            .find(|fact| fact.name == name)
            .and_then(|fact| match &fact.value {
                Value::One(text) => Some(text.as_str()),
                Value::Many(_) => None,
            })
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let blank = "";
        writeln!(f, "{blank:indent$}{} ({})", self.kind, self.encoding)?;
        let inner = indent + 2;
        for fact in &self.facts {
            match &fact.value {
                Value::One(text) => writeln!(f, "{blank:inner$}{}: {}", fact.name, Escaped::new(text))?,
                Value::Many(texts) => {
                    writeln!(f, "{blank:inner$}{}:", fact.name)?;
                    for text in texts {
                        writeln!(f, "{blank:inner$}  {}", Escaped::new(text))?;
                    }
                }
            }
        }
        for problem in &self.problems {
            writeln!(f, "{blank:inner$}PROBLEM: {}", Escaped::new(problem))?;
        }
        for part in &self.parts {
            part.write(f, inner)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    /// Several lines, each with its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Serialize for Report {
    /// `{"kind", "encoding", "facts": {name: text or list}, "problems": [text], "parts": [the same again]}`
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 5)?;
        report.serialize_field("kind", self.kind)?;
        report.serialize_field("encoding", &self.encoding)?;
        report.serialize_field("facts", &Facts(&self.facts))?;
        report.serialize_field("problems", &self.problems)?;
        report.serialize_field("parts", &self.parts)?;
        report.end()
    }
}

struct Facts<'a>(&'a [Fact]);

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for fact in self.0 {
            match &fact.value {
                Value::One(text) => map.serialize_entry(fact.name, text)?,
                Value::Many(texts) => map.serialize_entry(fact.name, texts)?,
            }
        }
        map.end()
    }
}
