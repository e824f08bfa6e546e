//! What a value may be, and how it is read.

use std::fmt;

use toml::de::DeValue;

/// The forms that the texts of a table may have. It is displayed as what is allowed.
pub trait Form: Copy + Eq + fmt::Debug + fmt::Display + 'static {
    /// What a text is read into.
    type Text: Clone + Eq + fmt::Debug;

    /// Reads a text.
    ///
    /// # Errors
    /// [`ValueError`]; it never quotes the text, which may be a secret in the wrong place.
    fn read(self, text: &str) -> Result<Self::Text, ValueError>;

    /// Whether such a text is stored separately and never shown.
    fn is_secret(self) -> bool {
        false
    }
}

/// What the value of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<F> {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest that is allowed.
        min: u32,
        /// The largest that is allowed.
        max: u32,
        /// It must be a multiple of this.
        step: u32,
        /// What is counted; may be empty.
        unit: &'static str,
    },
    /// A number that may be below zero or have decimals.
    Decimal {
        /// The smallest that is allowed, in units of its last decimal.
        min: i32,
        /// The largest that is allowed, in the same units.
        max: i32,
        /// Decimals that it may have, at most [`DECIMALS_MAX`].
        decimals: u8,
        /// What is counted; may be empty.
        unit: &'static str,
    },
    /// A list of whole numbers.
    Numbers {
        /// The smallest that is allowed.
        min: u32,
        /// The largest that is allowed.
        max: u32,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One text.
    Text(F),
    /// A list of texts; one of them may stand alone.
    Texts(F),
    /// In a file a table for each of several things, with keys that are not known beforehand. What each
    /// key is set to is one text of this form; there it may be written as a number or a flag too.
    Open(F),
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<T> {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Number`].
    Number(u32),
    /// Of [`Kind::Decimal`].
    Decimal(Decimal),
    /// Of [`Kind::Numbers`].
    Numbers(Vec<u32>),
    /// Of [`Kind::Choice`].
    Word(&'static str),
    /// Of [`Kind::Text`].
    Text(T),
    /// Of [`Kind::Texts`].
    Texts(Vec<T>),
}

/// Decimals of a [`Kind::Decimal`] at most.
pub const DECIMALS_MAX: u8 = 3;

/// An exact number that may be below zero and has so many decimals at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// In units of the last decimal.
    pub scaled: i32,
    /// Decimals, at most [`DECIMALS_MAX`].
    pub decimals: u8,
}

impl Decimal {
    /// Reads what is written with a dot, if it has no more decimals than that.
    fn parse(text: &str, decimals: u8) -> Option<Decimal> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let fraction =
            if is_number(fraction) { fraction.trim_end_matches('0') } else { return None };
        if !is_number(whole) || fraction.len() > usize::from(decimals) {
            return None;
        }
        let digits = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
        let scaled = digits.parse::<i32>().ok()? * sign;
        Some(Decimal { scaled, decimals })
    }

    /// The number as programs calculate with it.
    pub fn to_f64(self) -> f64 {
        f64::from(self.scaled) / f64::from(Decimal::one(self.decimals))
    }

    fn one(decimals: u8) -> i32 {
        10_i32.pow(u32::from(decimals.min(DECIMALS_MAX)))
    }
}

impl fmt::Display for Decimal {
    /// Without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = Decimal::one(self.decimals).unsigned_abs();
        let (whole, rest) = (self.scaled.unsigned_abs() / one, self.scaled.unsigned_abs() % one);
        let sign = if self.scaled < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        if rest == 0 {
            return Ok(());
        }
        let rest = format!("{rest:0>width$}", width = usize::from(self.decimals));
        write!(f, ".{}", rest.trim_end_matches('0'))
    }
}

/// Why a value is not allowed, in words. Texts are never quoted: they may be a key in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    /// Why it cannot be used.
    pub fn new(why: impl fmt::Display) -> ValueError {
        ValueError(why.to_string())
    }

    /// It must be something else: `allowed` says what.
    pub fn must_be(allowed: impl fmt::Display) -> ValueError {
        ValueError(format!("must be {allowed}"))
    }
}

impl<F: fmt::Display> fmt::Display for Kind<F> {
    /// What is allowed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => f.write_str("true or false"),
            Kind::Number { min, max, step, unit } => {
                match step {
                    0 | 1 => f.write_str("a whole number")?,
                    2 => f.write_str("an even number")?,
                    _ => write!(f, "a multiple of {step}")?,
                }
                write!(f, " from {min} to {max}")?;
                if unit.is_empty() { Ok(()) } else { write!(f, " ({unit})") }
            }
            Kind::Decimal { min, max, decimals, unit } => {
                let [min, max] = [*min, *max].map(|scaled| Decimal { scaled, decimals: *decimals });
                match decimals {
                    0 => write!(f, "a whole number from {min} to {max}")?,
                    1 => write!(f, "a number from {min} to {max} with at most one decimal")?,
                    _ => write!(f, "a number from {min} to {max}, at most {decimals} decimals")?,
                }
                if unit.is_empty() { Ok(()) } else { write!(f, " ({unit})") }
            }
            Kind::Numbers { min, max } => {
                write!(f, "a list of whole numbers from {min} to {max}")
            }
            Kind::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Kind::Text(form) | Kind::Open(form) => form.fmt(f),
            Kind::Texts(form) => write!(f, "{form}, or a list of them"),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Value<T> {
    /// As people may see it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn join<T: fmt::Display>(all: &[T]) -> String {
            all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
        }
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Decimal(decimal) => decimal.fmt(f),
            Value::Numbers(numbers) => f.write_str(&join(numbers)),
            Value::Word(word) => f.write_str(word),
            Value::Text(text) => text.fmt(f),
            Value::Texts(texts) => f.write_str(&join(texts)),
        }
    }
}

impl<F: Form> Kind<F> {
    /// Whether its values are stored separately and never shown.
    pub fn is_secret(self) -> bool {
        match self {
            Kind::Text(form) | Kind::Texts(form) | Kind::Open(form) => form.is_secret(),
            Kind::Flag
            | Kind::Number { .. }
            | Kind::Decimal { .. }
            | Kind::Numbers { .. }
            | Kind::Choice(_) => false,
        }
    }

    /// Reads a value as it is typed at a console; a list is typed in a file only.
    ///
    /// # Errors
    /// [`ValueError`] says what is allowed.
    pub fn read(self, text: &str) -> Result<Value<F::Text>, ValueError> {
        match (self, text) {
            (Kind::Flag, "true") => Ok(Value::Flag(true)),
            (Kind::Flag, "false") => Ok(Value::Flag(false)),
            (Kind::Number { min, max, step, .. }, _) => {
                let given = text.parse().map_err(|_| ValueError::must_be(self))?;
                self.in_range(given, min, max, step).map(Value::Number)
            }
            (Kind::Decimal { .. }, _) => self.decimal(text),
            (Kind::Choice(words), _) => {
                let word = words.iter().find(|word| **word == text);
                word.map(|word| Value::Word(word)).ok_or_else(|| ValueError::must_be(self))
            }
            (Kind::Text(form) | Kind::Open(form), _) => form.read(text).map(Value::Text),
            (Kind::Texts(form), _) => Ok(Value::Texts(vec![form.read(text)?])),
            (Kind::Flag | Kind::Numbers { .. }, _) => Err(ValueError::must_be(self)),
        }
    }

    /// Reads a value of a file.
    pub(super) fn read_toml(self, value: &DeValue<'_>) -> Result<Value<F::Text>, ValueError> {
        match (self, value) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number { min, max, step, .. }, DeValue::Integer(_)) => {
                self.in_range(self.integer(value)?, min, max, step).map(Value::Number)
            }
            (Kind::Decimal { .. }, DeValue::Integer(_)) => {
                self.decimal(&self.integer(value)?.to_string())
            }
            (Kind::Decimal { .. }, DeValue::Float(number)) => self.decimal(number.as_str()),
            (Kind::Numbers { min, max }, DeValue::Array(items)) => {
                let number = |item: &DeValue<'_>| self.in_range(self.integer(item)?, min, max, 1);
                let numbers = items.iter().map(|item| number(item.get_ref()));
                Ok(Value::Numbers(numbers.collect::<Result<_, _>>()?))
            }
            (Kind::Texts(form), DeValue::Array(items)) => {
                let text = |item: &DeValue<'_>| match item {
                    DeValue::String(text) => form.read(text),
                    _ => Err(ValueError::must_be(self)),
                };
                let texts = items.iter().map(|item| text(item.get_ref()));
                Ok(Value::Texts(texts.collect::<Result<_, _>>()?))
            }
            (Kind::Open(_), DeValue::Boolean(flag)) => self.read(&flag.to_string()),
            (Kind::Open(_), DeValue::Integer(_)) => self.read(&self.integer(value)?.to_string()),
            (
                Kind::Choice(_) | Kind::Text(_) | Kind::Texts(_) | Kind::Open(_),
                DeValue::String(text),
            ) => self.read(text),
            _ => Err(ValueError::must_be(self)),
        }
    }

    fn decimal(self, text: &str) -> Result<Value<F::Text>, ValueError> {
        let Kind::Decimal { min, max, decimals, .. } = self else {
            return Err(ValueError::must_be(self));
        };
        let given = Decimal::parse(text, decimals).ok_or_else(|| ValueError::must_be(self))?;
        match (min..=max).contains(&given.scaled) {
            true => Ok(Value::Decimal(given)),
            false => Err(ValueError(format!("is {given}, must be {self}"))),
        }
    }

    fn integer(self, value: &DeValue<'_>) -> Result<i64, ValueError> {
        let DeValue::Integer(number) = value else { return Err(ValueError::must_be(self)) };
        i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| ValueError::must_be(self))
    }

    fn in_range(self, given: i64, min: u32, max: u32, step: u32) -> Result<u32, ValueError> {
        let number = u32::try_from(given).ok();
        let allowed = number.filter(|n| (min..=max).contains(n) && n.is_multiple_of(step));
        allowed.ok_or_else(|| ValueError(format!("is {given}, must be {self}")))
    }
}

/// Declares the texts of a table, and gives every kind of value its type: a value is read with
/// `T::try_from`, and what is of another kind is an error.
macro_rules! text_types {
    ($(#[$of:meta])* $text:ident { $($(#[$doc:meta])* $variant:ident($type:ty),)* }) => {
        $(#[$of])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $text {
            $($(#[$doc])* $variant($type),)*
        }
        $crate::typed_toml::typed_values! { $text:
            bool: Flag(flag) => Some(flag),
            u32: Number(number) => Some(number),
            i32: Decimal(decimal) => Some(decimal.scaled),
            Vec<u32>: Numbers(numbers) => Some(numbers),
            &'static str: Word(word) => Some(word),
            $($type: Text($text::$variant(text)) => Some(text),)*
            $(Vec<$type>: Texts(texts) => {
                let text = |text| if let $text::$variant(text) = text { Some(text) } else { None };
                texts.into_iter().map(text).collect::<Option<Vec<$type>>>()
            },)*
        }
    };
}

macro_rules! typed_values {
    ($text:ident: $($type:ty: $kind:ident($of:pat) => $typed:expr,)*) => {$(
        impl TryFrom<$crate::typed_toml::Value<$text>> for $type {
            type Error = ();

            fn try_from(value: $crate::typed_toml::Value<$text>) -> Result<$type, ()> {
                match value {
                    $crate::typed_toml::Value::$kind($of) => $typed.ok_or(()),
                    _ => Err(()),
                }
            }
        }
    )*};
}

pub(crate) use {text_types, typed_values};
