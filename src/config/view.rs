//! Settings that hold, as types.

use super::partial::Partial;
use super::schema::Value;

/// What holds, of the box or of one destination.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) effective: &'a Partial,
    pub(super) destination: Option<&'a str>,
}

impl View<'_> {
    /// The value of a setting, as its type; where nobody sets it the default, if it has one.
    pub(super) fn get<T: TryFrom<Value>>(&self, name: &str) -> Option<T> {
        let mut settings = self.effective.of(self.destination);
        let (setting, value) = settings.find(|(setting, _)| setting.name == name)?;
        T::try_from(value.cloned().or_else(|| setting.fallback_value())?).ok()
    }

    /// A setting that is `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).unwrap_or_default()
    }
}
