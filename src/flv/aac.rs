//! AAC configuration: `AudioSpecificConfig` (ISO/IEC 14496-3 section 1.6.2.1).

use super::bits::BitReader;
use super::error::ConfigError;

/// `samplingFrequencyIndex` (ISO/IEC 14496-3 table 1.18), in Hz.
const SAMPLE_RATES_HZ: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
const RATE_FOLLOWS: u32 = 15;
const OBJECT_TYPE_FOLLOWS: u32 = 31;
const OBJECT_TYPE_SBR: u32 = 5;
const OBJECT_TYPE_PS: u32 = 29;

/// The format of the audio, from an `AudioSpecificConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// `audioObjectType` of the core coder: 2 is AAC-LC.
    pub object_type: u8,
    /// Sample rate of the output in Hz. Where SBR is signalled explicitly it is the extended rate;
    /// signalled implicitly it is not visible here.
    pub sample_rate_hz: u32,
    /// Channels of the output.
    pub channels: u8,
}

impl AacConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when it is cut short, or its rate or channels are reserved values. A layout
    /// given by a program config element (channel configuration 0) counts as reserved: no encoder
    /// for live streams writes it.
    pub fn parse(config: &[u8]) -> Result<AacConfig, ConfigError> {
        let mut bits = BitReader::new(config);
        let mut object_type = read_object_type(&mut bits)?;
        let mut sample_rate_hz = read_sample_rate(&mut bits)?;
        let mut channels = channels(bits.bits(4)?)?;
        if object_type == OBJECT_TYPE_SBR || object_type == OBJECT_TYPE_PS {
            if object_type == OBJECT_TYPE_PS && channels == 1 {
                channels = 2; // parametric stereo makes two of one
            }
            sample_rate_hz = read_sample_rate(&mut bits)?;
            object_type = read_object_type(&mut bits)?;
        }
        let object_type = object_type as u8; // 32 + 63 at most
        Ok(AacConfig { object_type, sample_rate_hz, channels })
    }
}

/// `GetAudioObjectType` (ISO/IEC 14496-3 table 1.16).
fn read_object_type(bits: &mut BitReader) -> Result<u32, ConfigError> {
    match bits.bits(5)? {
        OBJECT_TYPE_FOLLOWS => Ok(32 + bits.bits(6)?),
        object_type => Ok(object_type),
    }
}

fn read_sample_rate(bits: &mut BitReader) -> Result<u32, ConfigError> {
    let index = bits.bits(4)?;
    if index == RATE_FOLLOWS {
        return match bits.bits(24)? {
            0 => Err(ConfigError::Forbidden { field: "samplingFrequency", value: 0 }),
            rate => Ok(rate),
        };
    }
    let rate = SAMPLE_RATES_HZ.get(index as usize).copied();
    rate.ok_or(ConfigError::Forbidden { field: "samplingFrequencyIndex", value: index })
}

/// ISO/IEC 14496-3 table 1.19.
fn channels(configuration: u32) -> Result<u8, ConfigError> {
    match configuration {
        1..=6 => Ok(configuration as u8), // a number below 7
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        13 => Ok(24),
        value => Err(ConfigError::Forbidden { field: "channelConfiguration", value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(config: &[u8]) -> Result<(u8, u32, u8), ConfigError> {
        AacConfig::parse(config).map(|aac| (aac.object_type, aac.sample_rate_hz, aac.channels))
    }

    #[test]
    fn configurations_that_encoders_write_are_read() {
        assert_eq!(parse(&[0x11, 0x90]), Ok((2, 48_000, 2)));
        assert_eq!(parse(&[0x12, 0x10]), Ok((2, 44_100, 2)));
        assert_eq!(parse(&[0x11, 0x88]), Ok((2, 48_000, 1)));
        assert_eq!(parse(&[0x11, 0xB0]), Ok((2, 48_000, 6)));
        // 48 kHz with the SBR sync extension behind it
        assert_eq!(parse(&[0x11, 0x90, 0x56, 0xE5, 0x00]), Ok((2, 48_000, 2)));
    }

    #[test]
    fn explicit_sbr_and_parametric_stereo_give_the_output() {
        // 00101 0110 0010 0011 00010 000: SBR, 24 kHz, stereo, extended to 48 kHz, AAC-LC
        assert_eq!(parse(&[0x2B, 0x11, 0x88, 0x00]), Ok((2, 48_000, 2)));
        // 11101 0110 0001 0011 00010 000: PS, 24 kHz, mono, extended to 48 kHz, AAC-LC
        assert_eq!(parse(&[0xEB, 0x09, 0x88, 0x00]), Ok((2, 48_000, 2)));
    }

    #[test]
    fn a_rate_and_a_type_can_be_spelled_out() {
        // 11111 000111 1111 (0xBB80 in 24 bits) 0010: type 39, 48 000 Hz, stereo
        let config = [0xF8, 0xFE, 0x01, 0x77, 0x00, 0x40];
        assert_eq!(parse(&config), Ok((39, 48_000, 2)));
    }

    #[test]
    fn a_configuration_cut_anywhere_is_too_short() {
        for config in
            [&[0x11, 0x90][..], &[0x2B, 0x11, 0x88], &[0xF8, 0xFE, 0x01, 0x77, 0x00, 0x40]]
        {
            for len in 0..config.len() {
                assert_eq!(parse(&config[..len]), Err(ConfigError::TooShort));
            }
        }
    }

    #[test]
    fn every_start_gives_a_value_or_an_error() {
        let mut good = 0;
        for start in 0..=u16::MAX {
            let [first, second] = start.to_be_bytes();
            good += u32::from(parse(&[first, second, 0x88, 0x10, 0, 0, 0]).is_ok());
        }
        assert!(good > 10_000);
    }

    #[test]
    fn reserved_rates_and_layouts_are_named() {
        let rate = ConfigError::Forbidden { field: "samplingFrequencyIndex", value: 13 };
        assert_eq!(parse(&[0x16, 0x90]), Err(rate));
        let none = ConfigError::Forbidden { field: "samplingFrequency", value: 0 };
        assert_eq!(parse(&[0x17, 0x80, 0x00, 0x00, 0x10]), Err(none));
        let layout = ConfigError::Forbidden { field: "channelConfiguration", value: 0 };
        assert_eq!(parse(&[0x11, 0x80]), Err(layout));
    }
}
