//! Which profile fits the machine.

use super::embedded::names;
use super::profile::Profile;

/// The embedded profile for a machine whose device tree says `compatible`, most specific first.
pub fn select(compatible: &[String]) -> Option<&'static str> {
    let profiles = names().filter_map(|name| Profile::named(name).ok());
    let found = most_specific(compatible, profiles)?;
    names().find(|name| *name == found.name)
}

/// The profile for a machine whose device tree says `compatible`, most specific first (Devicetree
/// Specification, section 2.3.1). The most specific string that any profile names decides.
pub fn most_specific(
    compatible: &[String],
    profiles: impl IntoIterator<Item = Profile>,
) -> Option<Profile> {
    let place = |profile: &Profile| compatible.iter().position(|m| profile.compatible.contains(m));
    let fitting = profiles.into_iter().filter_map(|profile| Some((place(&profile)?, profile)));
    fitting.min_by_key(|(place, _)| *place).map(|(_, profile)| profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_string_of_the_machine_decides() {
        let tree = |strings: &[&str]| strings.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        for (machine, expected) in [
            (tree(&["raspberrypi,4-model-b", "brcm,bcm2711"]), Some("rpi4")),
            (tree(&["vendor,unheard-of", "brcm,bcm2711"]), Some("rpi4")),
            (tree(&["firstmile,sim", "brcm,bcm2711"]), Some("sim")),
            (tree(&["vendor,unheard-of"]), None),
            (tree(&[]), None),
        ] {
            assert_eq!(select(&machine), expected, "{machine:?}");
        }
    }
}
