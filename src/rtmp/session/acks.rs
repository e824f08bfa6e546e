//! Acknowledgements in both directions (RTMP 1.0 sections 5.4.3 and 5.4.4).

/// How much of what we sent the peer has acknowledged.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    bytes: u64,
    last: u32,
    /// Whether any acknowledgement came.
    any: bool,
    /// How many bytes each of the last two acknowledgements covered.
    strides: [u64; 2],
}

impl Delivered {
    /// Bytes acknowledged, never more than were sent and never falling.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether any acknowledgement came: some servers never send one.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// How many bytes the longer one of the last two acknowledgements covered.
    pub(super) fn stride(&self) -> u64 {
        self.strides[0].max(self.strides[1])
    }

    /// Takes a sequence number. It counts modulo 2^32 (RTMP 1.0 section 5.4.3), at Twitch modulo 2^31;
    /// which of the two it is follows from what can be in flight: `sent` bytes went out in all.
    pub(super) fn take(&mut self, sequence: u32, sent: u64) {
        const HALF: u32 = 1 << 31;
        self.any = true;
        let in_flight = sent.saturating_sub(self.bytes);
        let forward = u64::from(sequence.wrapping_sub(self.last));
        let forward_by_half = u64::from(sequence.wrapping_add(HALF).wrapping_sub(self.last));
        let fell = sequence < self.last;
        let delta = match fell {
            true if self.last < HALF && forward_by_half <= in_flight => forward_by_half,
            true if forward > in_flight => {
                tracing::debug!(sequence, last = self.last, "acknowledgement went back; ignored");
                return;
            }
            _ => forward,
        };
        self.bytes += delta.min(in_flight);
        self.strides = [self.strides[1], delta.min(in_flight)];
        self.last = sequence;
    }
}

/// What we have to acknowledge.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: u64,
    acknowledged: u64,
    window: Option<u32>,
}

impl Received {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(super) fn set_window(&mut self, window: u32) {
        self.window = (window > 0).then_some(window);
    }

    /// The sequence number to send, when one is due: after half a window, so that a peer that stops
    /// sending at a full window never has to.
    pub(super) fn due(&mut self) -> Option<u32> {
        let window = u64::from(self.window?);
        if (self.bytes - self.acknowledged) * 2 < window {
            return None;
        }
        self.acknowledged = self.bytes;
        Some(self.bytes as u32) // modulo 2^32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Shows F19.
    #[test]
    fn acknowledgements_are_counted_across_both_kinds_of_wrap() {
        let step = 100_000_u64;
        for modulus in [1_u64 << 31, 1 << 32] {
            let mut delivered = Delivered::default();
            let mut total = 0;
            while total < 5 << 32 {
                total += step * 997;
                delivered.take((total % modulus) as u32, total + step);
                assert_eq!(delivered.bytes(), total, "modulo {modulus}");
            }
        }
    }

    #[test]
    fn a_server_cannot_acknowledge_what_was_not_sent() {
        let mut delivered = Delivered::default();
        delivered.take(u32::MAX, 1_000);
        assert_eq!(delivered.bytes(), 1_000);
    }

    #[test]
    fn an_acknowledgement_that_goes_back_changes_nothing() {
        let mut delivered = Delivered::default();
        delivered.take(50_000, 60_000);
        delivered.take(40_000, 60_000);
        assert_eq!(delivered.bytes(), 50_000);
        delivered.take(55_000, 60_000);
        assert_eq!(delivered.bytes(), 55_000);
    }

    // Shows F19.
    #[test]
    fn acknowledgements_are_due_each_half_window_and_only_when_asked_for() {
        let mut received = Received::default();
        received.count(10_000);
        assert_eq!(received.due(), None);
        received.set_window(5_000);
        assert_eq!(received.due(), Some(10_000));
        received.count(2_499);
        assert_eq!(received.due(), None);
        received.count(1);
        assert_eq!(received.due(), Some(12_500));
        received.set_window(0);
        received.count(1 << 20);
        assert_eq!(received.due(), None);
    }
}
