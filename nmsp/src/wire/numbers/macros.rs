//! How a wire number and a set of wire flags are declared.

/// Defines a wire number: its constants, their names, texts in both directions, and its form on the wire.
macro_rules! wire_number {
    ($($(#[$outer:meta])* $name:ident($int:ty, $width:literal), $what:literal {
        $($(#[$inner:meta])* $constant:ident = $value:literal, $text:literal;)+
    })+) => {$(
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$inner])* pub const $constant: Self = Self($value);)+

            /// Every value that has a name, in ascending order.
            pub const NAMED: &'static [Self] = &[$(Self::$constant),+];

            /// The name of the value, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($text),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => self.0.fmt(f),
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::wire::numbers::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let named = Self::NAMED.iter().copied().find(|value| value.name() == Some(text));
                named.or_else(|| text.parse().ok().map(Self)).ok_or_else(|| Self::Err {
                    what: $what,
                    text: text.to_owned(),
                    expected: [$($text),+].join(", "),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl $crate::wire::schema::FieldType for $name {
            const KIND: $crate::wire::schema::Kind = $crate::wire::schema::Kind::Number {
                width: $width,
                what: $what,
                names: &[$(($value, $text)),+],
            };

            fn read(
                reader: &mut $crate::wire::Reader<'_>,
                profile: &$crate::wire::WireProfile,
                field: &'static str,
            ) -> Result<Self, $crate::wire::DecodeError> {
                <$int as $crate::wire::schema::FieldType>::read(reader, profile, field).map(Self)
            }

            fn write(&self, writer: &mut $crate::wire::Writer<'_>) -> Result<(), $crate::wire::EncodeError> {
                $crate::wire::schema::FieldType::write(&self.0, writer)
            }
        }
    )+};
}

/// Defines a set of flags: masks, names, and its form on the wire. In JSON it is the number.
macro_rules! wire_flags {
    ($($(#[$outer:meta])* $name:ident($int:ty, $width:literal), $what:literal {
        $($(#[$inner:meta])* $constant:ident = $mask:literal, $text:literal;)+
    })+) => {$(
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$inner])* pub const $constant: Self = Self($mask);)+

            /// Whether all flags of the other set are in this one.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut separator = "";
                let mut rest = self.0;
                for (flag, name) in [$((Self::$constant, $text)),+] {
                    if self.contains(flag) {
                        write!(f, "{separator}{name}")?;
                        separator = ", ";
                        rest &= !flag.0;
                    }
                }
                if rest != 0 {
                    return write!(f, "{separator}{rest:#x}");
                }
                if self.0 == 0 { f.write_str("none") } else { Ok(()) }
            }
        }

        impl $crate::wire::schema::FieldType for $name {
            const KIND: $crate::wire::schema::Kind = $crate::wire::schema::Kind::Flags {
                width: $width,
                what: $what,
                names: &[$(($mask, $text)),+],
            };

            fn read(
                reader: &mut $crate::wire::Reader<'_>,
                profile: &$crate::wire::WireProfile,
                field: &'static str,
            ) -> Result<Self, $crate::wire::DecodeError> {
                <$int as $crate::wire::schema::FieldType>::read(reader, profile, field).map(Self)
            }

            fn write(&self, writer: &mut $crate::wire::Writer<'_>) -> Result<(), $crate::wire::EncodeError> {
                $crate::wire::schema::FieldType::write(&self.0, writer)
            }
        }
    )+};
}

pub(in crate::wire) use {wire_flags, wire_number};
