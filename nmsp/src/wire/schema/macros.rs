//! The macros of the declarations. What a declaration looks like is seen best in [`elements`](crate::wire::elements).

/// Elements whose value is one field. Makes their constants and the list `VALUES`.
macro_rules! values {
    ($($(#[doc = $doc:literal])+ $constant:ident = $number:literal, $name:literal, $type:ty, $unit:literal;)+) => {
        impl $crate::wire::Element {
            $($(#[doc = $doc])+ pub const $constant: Self = Self::declared($number);)+
        }

        /// What this module declares.
        pub(in crate::wire) const VALUES: &[$crate::wire::schema::ElementSchema] = &[
            $($crate::wire::schema::ElementSchema {
                element: $crate::wire::Element::$constant,
                name: $name,
                provenance: $crate::wire::Provenance::Ours,
                meaning: concat!($($doc),+),
                fields: &[$crate::wire::schema::FieldSchema::new(
                    $name,
                    <$type as $crate::wire::schema::FieldType>::KIND,
                    $unit,
                    concat!($($doc),+),
                )],
                children: &[],
                exact: true,
            },)+
        ];
    };
}

/// Elements whose value is fixed fields and further elements. Makes their structs, constants and the list `RECORDS`.
macro_rules! records {
    ($($(#[doc = $doc:literal])+ $struct:ident, $constant:ident = $number:literal, $name:literal { $($body:tt)* })+) => {
        impl $crate::wire::Element {
            $($(#[doc = $doc])+ pub const $constant: Self = Self::declared($number);)+
        }

        $($crate::wire::schema::record_struct! { $(#[doc = $doc])+ $struct { $($body)* } })+

        /// What this module declares.
        pub(in crate::wire) const RECORDS: &[$crate::wire::schema::ElementSchema] = &[
            $($crate::wire::schema::ElementSchema {
                element: $crate::wire::Element::$constant,
                name: $name,
                provenance: $crate::wire::Provenance::Ours,
                meaning: concat!($($doc),+),
                fields: $struct::FIELDS,
                children: <$struct as $crate::wire::schema::ElementValue>::CHILDREN,
                exact: false,
            },)+
        ];
    };
}

/// Bodies of messages: elements without fixed fields in front.
macro_rules! bodies {
    ($($(#[doc = $doc:literal])+ $struct:ident { $($body:tt)* })+) => {
        $($crate::wire::schema::record_struct! { $(#[doc = $doc])+ $struct { $($body)* } })+

        $(impl $struct {
            /// Appends the body.
            ///
            /// # Errors
            /// If something does not fit the profile's fields.
            pub fn encode(
                &self,
                writer: &mut $crate::wire::Writer<'_>,
            ) -> Result<(), $crate::wire::EncodeError> {
                $crate::wire::schema::ElementValue::write_value(self, writer)
            }
        })+
    };
}

/// One struct with its decoder and encoder.
macro_rules! record_struct {
    ($(#[doc = $doc:literal])+ $struct:ident {
        $(fields { $($(#[doc = $field_doc:literal])+ $field:ident: $field_type:ty, $field_name:literal, $unit:literal;)* })?
        $(required { $($(#[doc = $required_doc:literal])+ $required:ident: $required_type:ty = $required_element:ident;)* })?
        $(optional { $($(#[doc = $optional_doc:literal])+ $optional:ident: $optional_type:ty = $optional_element:ident;)* })?
        $(many { $($(#[doc = $many_doc:literal])+ $many:ident: $many_type:ty = $many_element:ident;)* })?
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $struct {
            $($($(#[doc = $field_doc])+ pub $field: $field_type,)*)?
            $($($(#[doc = $required_doc])+ pub $required: $required_type,)*)?
            $($(
                $(#[doc = $optional_doc])+
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$optional_type>,
            )*)?
            $($(
                $(#[doc = $many_doc])+
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub $many: Vec<$many_type>,
            )*)?
        }

        impl $struct {
            /// The fixed fields.
            #[allow(dead_code, reason = "bodies have none")]
            pub(in crate::wire) const FIELDS: &'static [$crate::wire::schema::FieldSchema] = &[
                $($($crate::wire::schema::FieldSchema::new(
                    $field_name,
                    <$field_type as $crate::wire::schema::FieldType>::KIND,
                    $unit,
                    concat!($($field_doc),+),
                ),)*)?
            ];
        }

        impl $crate::wire::schema::ElementValue for $struct {
            const CHILDREN: &'static [$crate::wire::schema::Child] = &[
                $($($crate::wire::schema::Child::new(
                    $crate::wire::Element::$required_element,
                    $crate::wire::schema::Occurrence::Required,
                    concat!($($required_doc),+),
                ),)*)?
                $($($crate::wire::schema::Child::new(
                    $crate::wire::Element::$optional_element,
                    $crate::wire::schema::Occurrence::Optional,
                    concat!($($optional_doc),+),
                ),)*)?
                $($($crate::wire::schema::Child::new(
                    $crate::wire::Element::$many_element,
                    $crate::wire::schema::Occurrence::Many,
                    concat!($($many_doc),+),
                ),)*)?
            ];

            #[allow(
                unused_variables,
                unused_mut,
                clippy::match_single_binding,
                clippy::too_many_lines,
                reason = "the code of every declaration, whatever it has"
            )]
            fn read_value(
                mut reader: $crate::wire::Reader<'_>,
                profile: &$crate::wire::WireProfile,
                name: &'static str,
            ) -> Result<Self, $crate::wire::DecodeError> {
                $($(let $field = $crate::wire::schema::FieldType::read(&mut reader, profile, $field_name)?;)*)?
                $($(let mut $required: Option<$required_type> = None;)*)?
                $($(let mut $optional: Option<$optional_type> = None;)*)?
                $($(let mut $many: Vec<$many_type> = Vec::new();)*)?
                while !reader.is_empty() {
                    let tlv = $crate::wire::Tlv::read(&mut reader, profile)?;
                    match profile.element(tlv.number) {
                        $($(Some(element @ $crate::wire::Element::$required_element) => {
                            $crate::wire::schema::once(&mut $required, element, &tlv, profile)?;
                        })*)?
                        $($(Some(element @ $crate::wire::Element::$optional_element) => {
                            $crate::wire::schema::once(&mut $optional, element, &tlv, profile)?;
                        })*)?
                        $($(Some(element @ $crate::wire::Element::$many_element) => {
                            let reader = tlv.reader(profile);
                            $many.push($crate::wire::schema::ElementValue::read_value(reader, profile, element.name())?);
                        })*)?
                        _ => {}
                    }
                }
                let end = reader.offset();
                Ok(Self {
                    $($($field,)*)?
                    $($($required: $required.ok_or_else(|| {
                        $crate::wire::schema::missing($crate::wire::Element::$required_element, end, profile)
                    })?,)*)?
                    $($($optional,)*)?
                    $($($many,)*)?
                })
            }

            #[allow(unused_variables, reason = "a body may have no element")]
            fn write_value(&self, writer: &mut $crate::wire::Writer<'_>) -> Result<(), $crate::wire::EncodeError> {
                $($($crate::wire::schema::FieldType::write(&self.$field, writer)?;)*)?
                $($(writer.element($crate::wire::Element::$required_element, &self.$required)?;)*)?
                $($(if let Some(value) = &self.$optional {
                    writer.element($crate::wire::Element::$optional_element, value)?;
                })*)?
                $($(for value in &self.$many {
                    writer.element($crate::wire::Element::$many_element, value)?;
                })*)?
                Ok(())
            }
        }
    };
}

/// Records of fixed length: structs with fields of fixed length only.
macro_rules! fixed_records {
    ($($(#[doc = $doc:literal])+ $struct:ident, $name:literal {
        $($(#[doc = $field_doc:literal])+ $field:ident: $field_type:ty, $field_name:literal, $unit:literal;)+
    })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            pub struct $struct {
                $($(#[doc = $field_doc])+ pub $field: $field_type,)+
            }

            impl $crate::wire::schema::FixedRecord for $struct {
                const SCHEMA: $crate::wire::schema::RecordSchema = $crate::wire::schema::RecordSchema {
                    name: $name,
                    length: 0 $(+ match <$field_type as $crate::wire::schema::FieldType>::KIND.fixed_length() {
                        Some(length) => length,
                        None => panic!("a record has fields of fixed length only"),
                    })+,
                    fields: &[$($crate::wire::schema::FieldSchema::new(
                        $field_name,
                        <$field_type as $crate::wire::schema::FieldType>::KIND,
                        $unit,
                        concat!($($field_doc),+),
                    )),+],
                };

                fn read_record(
                    reader: &mut $crate::wire::Reader<'_>,
                    profile: &$crate::wire::WireProfile,
                ) -> Result<Self, $crate::wire::DecodeError> {
                    Ok(Self {
                        $($field: $crate::wire::schema::FieldType::read(reader, profile, $field_name)?,)+
                    })
                }

                fn write_record(
                    &self,
                    writer: &mut $crate::wire::Writer<'_>,
                ) -> Result<(), $crate::wire::EncodeError> {
                    $($crate::wire::schema::FieldType::write(&self.$field, writer)?;)+
                    Ok(())
                }
            }
        )+
    };
}

pub(crate) use {bodies, fixed_records, record_struct, records, values};
