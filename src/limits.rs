//! Every bound of the product, each with the estimate that produced it; those of the machine's health,
//! of Wi-Fi, of opening devices, of their controls, of sticks and of the display are on pages of their own.
//!
//! Pure room. Rooms name these constants instead of writing numbers; relations between bounds are
//! asserted at compile time at the end of the page.

mod device_controls;
mod display;
mod health;
mod opening;
mod selection;
mod stick;
mod wifi;

use std::num::NonZeroU32;
use std::time::Duration;

pub use self::device_controls::*;
pub use self::display::*;
pub use self::health::*;
pub use self::opening::*;
pub use self::selection::*;
pub use self::stick::*;
pub use self::wifi::*;

// ── destinations ──────────────────────────────────────────────────────────────────────────────

/// Destinations that one box publishes to at once. Eight times 6 Mb/s is 48 Mb/s, more than the
/// uplinks that such a box meets.
pub const DESTINATIONS_MAX: usize = 8;

/// A destination's or a box's name, in bytes; it must fit a prompt and a status line.
pub const NAME_BYTES_MAX: usize = 64;

/// A server URL, in bytes. The longest of any platform is below 300.
pub const URL_BYTES_MAX: usize = 2_048;

/// Other hosts that a server may send a stream to: a few, or else the domain that they are in.
pub const HOSTS_MAX: usize = 8;

/// A stream key, in bytes. Keys with signed queries reach some 300.
pub const KEY_BYTES_MAX: usize = 1_024;

/// So many bytes of a secret in a row are hidden in the text of others. Seven may be a word that is in
/// the key and in the message; of a key of twenty characters they say little.
pub const SECRET_PART_BYTES: usize = 8;

/// What else may be secret in an address is hidden from this length on: shorter is a flag or a version.
pub const SECRET_BYTES_MIN: usize = 6;

/// The part of a key before its `?` is hidden too, unless it is so short that it would be found inside
/// of ordinary text.
pub const SECRET_STEM_BYTES_MIN: usize = 6;

// ── media queue, one per destination ──────────────────────────────────────────────────────────
//
// 6 Mb/s × 3 s = 2.25 MB video and 160 kb/s × 3 s = 60 KB audio; 3 s × 30 fps = 90 video and
// 3 s × 48 000 / 1 024 = 141 audio access units. 4 MiB and 512 leave ×1.8 and ×2.2 for 60 fps or
// a burst. Queues share payloads, so memory follows the destination that is furthest behind.

/// Access units that may wait for one destination.
pub const QUEUE_FRAMES_MAX: usize = 512;
/// Payload bytes that may wait for one destination.
pub const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Media time that may wait for one destination.
pub const QUEUE_TIME_MAX: Duration = Duration::from_secs(3);
/// Media time without a key frame after which a queue that needs one asks again. Key frames are two
/// seconds apart; an encoder answers within some frames, so that after half of it the request counts as lost.
pub const FORCE_KEY_AGAIN: Duration = Duration::from_secs(1);

/// One encoded access unit. A 4K key frame at 25 Mb/s stays below 2 MiB.
pub const ACCESS_UNIT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The body of one FLV tag: what the format and RTMP allow. A file may hold larger key frames than our
/// encoders make.
pub const FLV_BODY_BYTES_MAX: usize = 0xFF_FFFF;
/// Distance between two frames of a file above which its time is taken to leap, as where two
/// recordings were joined: no server keeps a stream that rests for so long.
pub const FILE_GAP_MAX: Duration = Duration::from_secs(30);
/// Frames of one track may step back by so much without being another recording: rounded timestamps,
/// and frames written in decoding order with the time of their presentation. Three frames at 30 a second.
pub const FILE_OUT_OF_ORDER_MAX: Duration = Duration::from_millis(100);
/// Leaps that are named one by one; a file that leaps all the time leaps at each tag.
pub const FILE_LEAPS_NAMED_MAX: u32 = 8;
/// How far behind a damaged place of a file the next tag is searched: a minute at 8 Mbit/s. Behind a
/// longer hole a stream would hardly be the same one.
pub const FILE_SEARCH_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Damaged places of a file that are named one by one.
pub const FILE_DAMAGES_NAMED_MAX: usize = 8;
/// How often a line on standard error says how far something long has come, where that is no terminal.
pub const PROGRESS_LINE_INTERVAL: Duration = Duration::from_secs(5);
/// The same on a terminal, where the line is rewritten.
pub const PROGRESS_REDRAW_INTERVAL: Duration = Duration::from_millis(250);
/// Over which the rate in that line is taken.
pub const PROGRESS_RATE_WINDOW: Duration = Duration::from_secs(1);
/// What is kept of a stream that cannot be read again (a pipe), for a server that wants it from its start:
/// what the sockets of both sides take before an answer, and a large key frame.
pub const PIPE_KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Pieces that are read ahead of what is sent from a pipe.
pub const PIPE_PIECES_AHEAD: usize = 4;

// ── RTMP, what we send ────────────────────────────────────────────────────────────────────────

/// Chunk size we announce. Every server tried accepts it; 60 000 and more saves nothing that can
/// be measured, 1 MiB and more kills some servers.
pub const RTMP_CHUNK_SIZE_OUT: usize = 4_096;
/// Bytes that may sit in a session's outbound buffer before no further frame is popped.
pub const RTMP_OUT_HIGH_WATER_BYTES: usize = 256 * 1024;
/// The same while a live stream is sent: what is in the session can no longer be dropped. One
/// part of a frame at 6 Mb/s, 130 ms at 1 Mb/s.
pub const RTMP_OUT_LIVE_BYTES: usize = 16 * 1024;
/// The same while a file is sent: what TLS takes at once. More only keeps pieces of the file in memory.
pub const FILE_AHEAD_BYTES: usize = 64 * 1024;
/// A message above this is still sent, with one warning: nginx-rtmp's default limit is 1 MB.
pub const RTMP_MESSAGE_WARN_BYTES: usize = 1_000_000;
/// The largest window acknowledgement size we ask the server for: at 6 Mb/s about eight
/// acknowledgements a second. At a lower rate it follows the rate, so that delivery can be judged
/// within 250 ms.
pub const RTMP_ACK_WINDOW_BYTES: u32 = 100_000;

/// The least that is asked for: a fourth of a second at 320 kb/s. A slower stream is judged later.
/// A connection begins with it, so that the first key frame is acknowledged when it has arrived, and not
/// once a window has filled behind it.
pub const RTMP_ACK_WINDOW_BYTES_MIN: u32 = 10_000;

// ── RTMP, what we accept ──────────────────────────────────────────────────────────────────────

/// One received message. Command replies are some hundred bytes.
pub const RTMP_IN_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// All partly received messages of a session together.
pub const RTMP_IN_TOTAL_BYTES_MAX: usize = 1024 * 1024;
/// Chunk streams that a server may use at once.
pub const RTMP_IN_CHUNK_STREAMS_MAX: usize = 16;
/// Nesting of AMF0 objects and arrays.
pub const AMF_DEPTH_MAX: usize = 16;
/// Values in one AMF0 message.
pub const AMF_ELEMENTS_MAX: usize = 1_024;
/// One AMF0 string.
pub const AMF_STRING_BYTES_MAX: usize = 8 * 1024;
/// Characters of a server's text that are shown to the owner.
pub const SERVER_TEXT_CHARS_MAX: usize = 200;
/// Characters of why an attempt ended: such a text within words of our own, which say what to do.
pub const END_TEXT_CHARS_MAX: usize = SERVER_TEXT_CHARS_MAX + 300;
/// Characters of it that are looked at: of more, nothing would be shown, were a key repeated in it.
pub const SERVER_TEXT_CHARS_READ_MAX: usize = SERVER_TEXT_CHARS_MAX + 2 * KEY_BYTES_MAX;
/// A complaint of the server explains the end of a connection that follows within this time: servers
/// complain and close at once, or let a client finish its message first.
pub const REMARK_COUNTS_FOR: Duration = Duration::from_secs(10);
/// A stream was published twice on one connection, because the server gave it another id than the one
/// that was guessed: that is why the connection ends, if it does within this time. A server looks at
/// the second command a round trip after it accepted the first one.
pub const PUBLISHED_TWICE_DOUBT: Duration = Duration::from_secs(3);
/// Events that a session may hold for its driver; the driver drains it after each call.
pub const RTMP_EVENTS_MAX: usize = 64;
/// Answers to pings that may wait for a server that does not read. Servers ping once in 30 s or
/// more, so this is eight minutes of a path that the dead-path watch gives up after seconds.
pub const RTMP_PONGS_WAITING_MAX: usize = 16;
/// One field of an authentication challenge. They are some 10 to 30 characters.
pub const AUTH_FIELD_BYTES_MAX: usize = 256;

// ── publishing: how long each phase may take ──────────────────────────────────────────────────

/// Name resolution.
pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer for one family is not kept waiting longer for the other one: addresses that come later are not
/// tried in this attempt, so that it is more than the 50 ms of RFC 8305 section 3.
pub const OTHER_FAMILY_WAIT: Duration = Duration::from_millis(500);
/// Look-ups of one destination that are under way, two for each attempt. A resolver with three name servers
/// that are silent takes some 30 s.
pub const NAME_LOOKUPS_MAX: usize = 12;
/// What a look-up of an earlier attempt has found is believed if it began no longer ago: the network may have
/// changed since.
pub const NAME_ANSWER_COUNTS_FOR: Duration = Duration::from_secs(40);
/// Addresses of one host that are tried.
pub const DNS_ADDRESSES_MAX: usize = 8;
/// Head start of an address before the next one is tried in parallel (RFC 8305 section 8).
pub const HAPPY_EYEBALLS_DELAY: Duration = Duration::from_millis(250);
/// Addresses that are remembered for one destination because a connection to them failed: twice of what
/// is tried, for names that give other ones each time.
pub const ADDRESSES_REMEMBERED_MAX: usize = 16;
/// For so long an address at which a connection failed is tried after the others. Whoever runs a service
/// has taken a dead machine out of its name by then, or mended it.
pub const ADDRESS_AVOIDED_FOR: Duration = Duration::from_secs(600);
/// Head start of the others over such an address. On a path of a satellite TCP connects within 0.7 s;
/// all that are tried get their turn within [`TCP_TIMEOUT`] where the others refuse.
pub const AVOIDED_ADDRESS_DELAY: Duration = Duration::from_secs(1);
/// An attempt goes on at the next address when one has failed within this time of its begin: after one
/// whole silence in a handshake, and after any number of refusals. What takes longer is the next
/// attempt's, so that a backup server has its turn.
pub const NEXT_ADDRESS_WITHIN: Duration = Duration::from_secs(6);
/// What a TCP segment carries where large packets are dropped: with the heads of IPv6 and TCP it fits
/// into 1,280 bytes, which each path of IPv6 carries (RFC 8200 section 5) and tunnels of IPv4 do too.
pub const SMALL_SEGMENT_BYTES: u32 = 1_200;
/// A large segment that was given up for lost so often in a row, while what was sent after it arrived,
/// is dropped for its length: with one packet lost in twenty that is one of 8,000. On a short path it
/// takes 1.4 s.
pub const LARGE_PACKET_TIMEOUTS: u8 = 3;
/// For so long connections are made with small segments once that has helped. To try large ones again
/// costs some two seconds; to leave them costs 1 % more bytes.
pub const SMALL_SEGMENTS_FOR: Duration = Duration::from_secs(3_600);
/// Small segments that are accepted so soon after a silence of large ones have helped; later, the path
/// may have been mended. Room for a whole handshake, and for the wait before the next attempt.
pub const GUESS_HOLDS_FOR: Duration = Duration::from_secs(20);
/// For so long after small segments were tried in vain, a handshake without an answer is not put down to
/// large packets: a dead machine costs one more silence of 5 s a minute by that, and the backup server has
/// its turn.
pub const NO_GUESS_FOR: Duration = Duration::from_secs(60);
/// Servers of destinations that are gone, of which is remembered what was learned of the way there: the
/// first and the backup server of each destination that was set.
pub const SERVERS_REMEMBERED_MAX: usize = 2 * DESTINATIONS_MAX;
/// TCP connect, all addresses together.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(5);
/// TLS handshake.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// Session tickets kept for one destination. Each is used once and a server sends two to four.
pub const TLS_TICKETS_MAX: usize = 8;
/// A destination's CA file. The whole list of a Linux system is some 220 KiB.
pub const CA_FILE_BYTES_MAX: usize = 1024 * 1024;
/// A clock before this has not been set: 2026-01-01, earlier than the first release. In seconds since
/// 1970.
pub const CLOCK_EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// RTMP handshake (C0 to S2).
pub const RTMP_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// From `connect` to its result.
pub const RTMP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From `createStream` to its result.
pub const RTMP_CREATE_STREAM_TIMEOUT: Duration = Duration::from_secs(5);
/// From `publish` to `NetStream.Publish.Start`. Platforms ask other services here.
pub const RTMP_PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// No byte delivered while bytes are waiting: the path is dead. Within 5 s of a freeze it is to be
/// known; the last sign of life and the end of the wait are each noticed up to a tick late.
pub const DEAD_PATH_TIMEOUT: Duration = Duration::from_millis(4_250);
/// The peer's kernel is full, and has been for this long: it is not between two reads of its program.
pub const FULL_FOR: Duration = Duration::from_millis(500);
/// How long the rate of sending is measured before the acknowledgement window follows it: a GOP,
/// since a key frame is as long as several other frames.
pub const RATE_MEASURED_FOR: Duration = Duration::from_secs(2);
/// How often delivery is looked at while bytes are waiting.
pub const PROGRESS_TICK: Duration = Duration::from_millis(250);
/// While acceptance is awaited, and while a connection is being closed, delivery is looked at this
/// often, so that the light follows at once.
pub const ACCEPT_LOOK: Duration = Duration::from_millis(20);
/// Where a server acknowledges nothing, a stream that it has accepted is live after so long of undisturbed
/// sending: servers that refuse after they have accepted do so within milliseconds.
pub const UNACKNOWLEDGED_LIVE: Duration = Duration::from_secs(1);
/// How long `check --publish` stays after the server has accepted: what it does not like it closes by
/// then.
pub const CHECK_STAYS: Duration = Duration::from_secs(1);
/// What a server wrote before the connection broke has arrived by then.
pub const LAST_MESSAGE_TIMEOUT: Duration = Duration::from_millis(200);
/// A server that has shown no progress for this long while a connection is being closed will not
/// confirm any more than it has.
pub const CLOSE_QUIET_TIMEOUT: Duration = Duration::from_millis(500);
/// After the end of a TLS stream that of the TCP connection follows by then.
pub const HANG_UP_TIMEOUT: Duration = Duration::from_millis(200);
/// Tags of a file that are due within this time of one another go together, the later ones that much
/// early: a wake-up costs more than what is sent in it. As long as an access unit of AAC at 48 kHz, so
/// that each video frame goes with its audio; players buffer ten times as much. A live stream does
/// not wait: each of its frames goes as it comes.
pub const FILE_TAGS_TOGETHER: Duration = Duration::from_millis(22);
/// From the request to stop to the closed connection, whatever the server does.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(1_800);
/// Media that may hide unsent in the kernel, in bytes: 44 ms at 6 Mb/s, 260 ms at 1 Mb/s.
pub const TCP_NOTSENT_LOWAT_BYTES: u32 = 32 * 1024;
/// What is written at once while a connection is young. A TLS record can be read once all of it has
/// come: one of 16 KiB is longer than what TCP may send before the first acknowledgement (RFC 6928),
/// and all in it would wait a round trip longer.
pub const YOUNG_WRITE_BYTES: usize = 4 * 1024;
/// For so many bytes of RTMP a connection is young: by then TCP's window is some records long.
pub const YOUNG_CONNECTION_BYTES: u64 = 64 * 1024;

// ── pace: congestion ──────────────────────────────────────────────────────────────────────────
//
// A step from 6 to 1 Mb/s piles up 5 Mb in each second; the encoder must be below the path within
// 1.5 s and nothing may be later than 2 s. Delay grows by 0.83 s a second then: it is *heavy* after
// 0.2 s and the window of 0.2 s, and the answer is in force before 0.7 s. A key frame at 6 Mb/s is
// six times a usual frame, some 140 KB, and takes 190 ms at that rate; it is no congestion, since in
// between delay falls to nothing at least once in 0.4 s. Within these sketches the values are those
// that came out best in the table of tests/network/table.rs.

/// The lowest video bitrate that is worth sending, in kbit/s: a small but recognisable image.
pub const VIDEO_FLOOR_KBPS: u32 = 250;
/// How often delivery is looked at by the policy.
pub const PACE_TICK: Duration = Duration::from_millis(100);
/// Looks that are remembered: 6.4 s at half a tick each, longer than a dead path is endured.
pub const PACE_POINTS_MAX: usize = 128;
/// Over which a sudden change is distinguished from a hiccup of the path.
pub const PACE_RECENT_WINDOW: Duration = Duration::from_millis(200);
/// Over which the present rate is taken.
pub const PACE_RECENT_RATE_WINDOW: Duration = Duration::from_millis(400);
/// Over which delay counts as standing when it never went away.
pub const PACE_STANDING_WINDOW: Duration = Duration::from_millis(400);
/// Over which the delivered rate is taken.
pub const PACE_RATE_WINDOW: Duration = Duration::from_secs(1);
/// Over which key frames and others even out.
pub const PACE_GOP_WINDOW: Duration = Duration::from_secs(2);
/// The least round-trip time of this long is the path's own (as in BBR: draft-cardwell-iccrg-bbr-
/// congestion-control section 4.1).
pub const PACE_BASE_WINDOW: Duration = Duration::from_secs(10);
/// Standing delay below this is none.
pub const PACE_CLEAR_DELAY: Duration = Duration::from_millis(30);
/// Standing delay from which the bitrate is lowered a little.
pub const PACE_LIGHT_DELAY: Duration = Duration::from_millis(50);
/// Delay from which the bitrate is lowered at once.
pub const PACE_HEAVY_DELAY: Duration = Duration::from_millis(150);
/// Delay from which what is sent now would be late.
pub const PACE_EMERGENCY_DELAY: Duration = Duration::from_millis(600);
/// Nothing delivered for this long, and there is no rate to follow.
pub const PACE_HICCUP: Duration = Duration::from_millis(300);
/// Two stalls that end within this time are how the path delivers: a receiver that opens its window
/// late, a radio that gathers.
pub const PACE_LUMPS_WITHIN: Duration = Duration::from_secs(1);
/// Nothing delivered for this long, and the bitrate is halved.
pub const PACE_STALL: Duration = Duration::from_secs(2);
/// From one halving to the next.
pub const PACE_STALL_INTERVAL: Duration = Duration::from_secs(1);
/// A connection that begins is in TCP's slow start: 250 KB of a first key frame take five round trips.
pub const PACE_GRACE: Duration = Duration::from_secs(1);
/// From one lowering to the next: the encoder answers with its next frame, the path a round trip
/// later.
pub const PACE_LOWER_INTERVAL: Duration = Duration::from_millis(400);
/// From one raise to the next.
pub const PACE_RAISE_INTERVAL: Duration = Duration::from_millis(300);
/// Waiting time from which frames go that no other refers to.
pub const PACE_DROP_DISPOSABLE_WAIT: Duration = Duration::from_millis(500);
/// Waiting time from which video up to the next key frame goes; with a key frame half sent it stays
/// below 2 s.
pub const PACE_DROP_WAIT: Duration = Duration::from_millis(800);
/// From one such drop to the next; the key frame that follows must have a chance.
pub const PACE_DROP_INTERVAL: Duration = Duration::from_secs(1);
/// A connection that carries less than the floor for this long is given up.
pub const PACE_CRAWL_TIMEOUT: Duration = Duration::from_secs(60);

/// For so long what a lost connection carried is taken for what the next one will carry. To begin too
/// low costs six seconds of climbing from 1 to 4 Mb/s, to begin too high a second of congestion and a
/// frozen frame; after some minutes a phone network is another one.
pub const RESUME_BELIEVED_FOR: Duration = Duration::from_secs(600);

/// Media time of a connection at which it is replaced by a new one, in milliseconds: an hour before
/// 2^31, where servers begin to read it as negative.
pub const ROLL_OVER_AT_MS: u64 = (1 << 31) - 3_600_000;
/// Wait before another connection is tried, when one that was to replace a running one failed.
pub const SUCCESSOR_RETRY: Duration = Duration::from_secs(60);
/// Places that servers may send one attempt to, one after the other; platforms use one or two.
pub const REDIRECTS_MAX: u32 = 3;
/// From one move that a server asks for to the next, doubled with each that follows soon; servers that
/// are taken out of service ask once.
pub const MOVE_WAIT_FIRST: Duration = Duration::from_secs(2);
/// Longest wait between two such moves.
pub const MOVE_WAIT_MAX: Duration = Duration::from_secs(300);
/// A stream that nobody asked to move for this long has arrived: the next move may follow at once.
pub const MOVES_FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Lines of the log about what one server asks for or complains about, at once; what is left out is
/// counted.
pub const SERVER_LINES_MAX: u32 = 4;
/// From one such line to the next after that.
pub const SERVER_LINE_INTERVAL: Duration = Duration::from_secs(30);
/// Answers to a server's request for authentication in one attempt: the user, then the response, and
/// one more for a nonce that grew old.
pub const AUTH_ROUNDS_MAX: u32 = 3;

// ── appliance ─────────────────────────────────────────────────────────────────────────────────

/// First wait before a new attempt; doubled after each failure.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest wait before a new attempt.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Longest wait before a new attempt where nobody was reached: the attempt is itself the probe whether
/// the network or the server is back, and costs a name look-up and a SYN to each address.
pub const UNREACHABLE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Jitter on each wait, plus and minus.
pub const BACKOFF_JITTER_PERCENT: u32 = 20;
/// An attempt that is under way when the network changes is complete within this time from its start,
/// or it hangs and is made again. Name, TCP, TLS and RTMP are some seven round trips.
pub const NETWORK_CHANGE_GRACE: Duration = Duration::from_secs(1);
/// From the switch to a backup server to the first look at the first one, doubled after each.
pub const RETURN_FIRST: Duration = Duration::from_secs(30);
/// Longest time from one look at the first server to the next.
pub const RETURN_MAX: Duration = Duration::from_secs(600);
/// Live for this long: the back-off begins again at its first wait.
pub const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(60);
/// Wait after the server refused the key.
pub const KEY_REFUSED_WAIT: Duration = Duration::from_secs(30);
/// Ends in a row at which a server closes without a word, after which the key or the address is doubted:
/// one may be a server that restarts, and the third comes some two seconds after the first.
pub const WORDLESS_ENDS_DOUBTED: u32 = 3;
/// A server that closes this soon after it has accepted a stream has not liked it: it asked another
/// service for the key, which takes some 100 ms.
pub const CLOSED_AT_ONCE: Duration = Duration::from_millis(400);
/// For so long after a stream was live the server may still have that connection: servers notice a
/// broken one after 20 to 120 s.
pub const KEY_HELD_FOR: Duration = Duration::from_secs(150);
/// A stream that the server ends before this was perhaps taken by another encoder that took it back;
/// encoders come back after 1 to 15 s.
pub const TAKEN_ROUND_MAX: Duration = Duration::from_secs(30);
/// So many such rounds in a row, and another encoder uses the key.
pub const TAKEN_ROUNDS_MAX: u32 = 4;
/// Wait before a key is taken back from another encoder: viewers see each change.
pub const CONTENDED_WAIT: Duration = Duration::from_secs(60);
/// Longest wait after a bad certificate.
pub const CERTIFICATE_WAIT_MAX: Duration = Duration::from_secs(60);
/// From the request to start to the first key frame of the encoder.
pub const FIRST_KEY_TIMEOUT: Duration = Duration::from_secs(18);
/// From the request to stop to `Ready`, in any state; above the bound of the connection.
pub const STOPPING_TIMEOUT: Duration = Duration::from_millis(2_000);
/// An attempt that reported neither acceptance nor an end; above the sum of its phases and of what it
/// may spend at addresses that fail.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(50);
/// No encoder output at all for this long: the pipeline counts as failed.
pub const NO_OUTPUT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a failed device is looked for.
pub const REPROBE_INTERVAL: Duration = Duration::from_secs(5);
/// Longest wait before camera, microphone and encoder are tried again after a fault that ended a
/// broadcast; the first is [`REPROBE_INTERVAL`] and each is twice the one before. A driver that needs
/// a minute of rest gets it, and a viewer waits no longer than that for a cured one.
pub const FAULT_WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest wait after a server refused the connection with a reason; as after a refused key.
pub const REJECTED_WAIT_MAX: Duration = Duration::from_secs(30);
/// A wait is never cut shorter than this, however often the network changes or somebody presses:
/// at most four attempts a second for each destination.
pub const WAIT_CUT_MIN: Duration = Duration::from_millis(250);
/// A pipeline that failed is restarted once; after this long the failure is forgotten. A camera
/// that fails every few seconds is a fault, one that fails twice in an evening is not.
pub const PIPELINE_FAILURE_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Destinations known at once: those that are set, and as many that were removed and still close.
pub const DESTINATIONS_HELD_MAX: usize = 2 * DESTINATIONS_MAX;
/// Actions that one event may cause: per destination a request and three lines, per box some ten.
pub const ACTIONS_MAX: usize = 4 * DESTINATIONS_HELD_MAX + 16;

/// How often statistics are taken while the capture runs.
pub const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// How long camera and microphone are held after the last question that needed them: somebody who
/// sets them up asks again within this, and a camera that is on for longer disquiets people.
pub const STANDBY_FOR: Duration = Duration::from_secs(30);
/// How long a question waits for camera and microphone to be opened: as long as somebody waits before
/// asking again.
pub const STANDBY_PATIENCE: Duration = Duration::from_secs(10);
/// Longest side of a JPEG that somebody may ask for, in pixels: what a slow serial line carries in a
/// second, and what is worth looking at on a telephone.
pub const STILL_SIDE_MIN: u32 = 160;
/// The largest such side: more would cost the box more than looking at it is worth.
pub const STILL_SIDE_MAX: u32 = 640;
/// The same when nobody says anything.
pub const STILL_SIDE: u32 = 320;
/// Quality of such a JPEG, as libjpeg counts: below this nothing can be recognized.
pub const STILL_QUALITY_MIN: u32 = 10;
/// Beyond this only the file grows.
pub const STILL_QUALITY_MAX: u32 = 95;
/// The same when nobody says anything.
pub const STILL_QUALITY: u32 = 75;
/// How long somebody waits for the next frame: one a second is still video.
pub const STILL_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of base64 in one line, as in mail: programs at a serial line read line by line.
pub const BASE64_LINE_CHARS: usize = 76;
/// Between two looks for the first levels of a capture: they are there 400 ms after its start.
pub const LEVELS_LOOK: Duration = Duration::from_millis(100);
/// How often the levels are shown to whoever watches them.
pub const LEVELS_INTERVAL: Duration = Duration::from_secs(1);

// ── channels ──────────────────────────────────────────────────────────────────────────────────

/// Events waiting for the appliance.
pub const EVENTS_MAX: usize = 64;
/// Notes of the capture that wait to be handled; of its other events one of each kind does.
pub const CAPTURE_NOTES_MAX: usize = 8;
/// Requests waiting for one publish task; a full channel means that the task is stuck.
pub const ORDERS_MAX: usize = 4;
/// Lines waiting for a console that does not read.
pub const CONSOLE_OUT_LINES_MAX: usize = 32;
/// Clients of the control socket at once: as many may ask when all that may watch do.
pub const CONTROL_CLIENTS_MAX: usize = 2 * WATCHERS_MAX;
/// Places at the control socket that only the import of a stick gets, when all others are taken: two sticks
/// at once, and each asks one thing at a time.
pub const CONTROL_IMPORTS_MAX: usize = 2;
/// Clients that may watch changes.
pub const WATCHERS_MAX: usize = 4;

// ── devices ───────────────────────────────────────────────────────────────────────────────────

/// A console line; it must admit the longest URL and the longest key with their command.
pub const CONSOLE_LINE_BYTES_MAX: usize = 4 * 1024;
/// A serial port is polled this often when nothing is typed; unplugging is noticed at once.
pub const CONSOLE_READ_TICK: Duration = Duration::from_secs(60);
/// A host that accepts no byte for this long does not read.
pub const CONSOLE_WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// Digits of a console PIN: fewer are guessed within days even at the back-off's pace.
pub const PIN_DIGITS_MIN: usize = 4;
/// More than anybody remembers.
pub const PIN_DIGITS_MAX: usize = 16;
/// Rounds of the hash of a PIN: 0.1 s on a Cortex-A53, on a thread of its own.
pub const PIN_ITERATIONS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();
/// Rounds that a hash in a file may ask for: 1 s.
pub const PIN_ITERATIONS_MAX: u32 = 1_000_000;
/// Wrong PINs in a row that cost no wait.
pub const PIN_TRIES_FREE: u32 = 3;
/// Wait after the first wrong PIN that does; doubled after each further one.
pub const PIN_WAIT_FIRST: Duration = Duration::from_secs(2);
/// Longest wait after a wrong PIN: 10,000 PINs take a week.
pub const PIN_WAIT_MAX: Duration = Duration::from_secs(60);
/// A console where nobody types for this long asks for the PIN again.
pub const PIN_IDLE: Duration = Duration::from_secs(600);
/// Bytes that may be typed while a command is carried out or a PIN is checked: a pasted block of
/// settings, or four of the longest lines.
pub const CONSOLE_TYPED_AHEAD_BYTES_MAX: usize = 4 * CONSOLE_LINE_BYTES_MAX;
/// Requests of one client that may wait for the one before.
pub const CLIENT_REQUESTS_MAX: usize = 16;
/// A request that waits longer than this for the store is answered, and the next one goes on.
pub const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// Unasked output of the console uses at most one part in this many of the line: at 115,200 baud
/// 5,760 bytes a second, so that answers find room too.
pub const CONSOLE_UNASKED_SHARE: u32 = 2;
/// A serial line carries a byte in ten bits: start, eight, stop.
pub const SERIAL_BITS_PER_BYTE: u32 = 10;
/// The speed that is assumed where the port has none.
pub const CONSOLE_BAUD: u32 = 115_200;
/// Ports of the box that are served at once, each with a console of its own: USB, the header, and two
/// names that a kernel may have for them.
pub const CONSOLE_PORTS_MAX: usize = 4;
/// Lines remembered by the console.
pub const CONSOLE_HISTORY_MAX: usize = 32;
/// Lines in a row that mean nothing, after which a console is silent: more than anybody mistypes …
pub const CONSOLE_NOISE_LINES: u32 = 20;
/// … within this time. Shorted wires at 9,600 baud send as many back in 2 s, and at 1,200 baud, the
/// slowest that a profile may name, in 17 s; somebody who types needs longer.
pub const CONSOLE_NOISE_WITHIN: Duration = Duration::from_secs(18);
/// For so long the line must be quiet before the console listens again.
pub const CONSOLE_NOISE_QUIET: Duration = Duration::from_secs(3);
/// Parameter bytes of a terminal's escape sequence; keys send at most six.
pub const CONSOLE_ESCAPE_BYTES_MAX: usize = 16;
/// Lines of the log that `log` shows: two screens.
pub const LOG_LINES_MAX: usize = 50;
/// A line of the log is cut here; with the one above, the log takes 50 KiB at most.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;
/// For so long the lines of the log are counted that come from one place in the source.
pub const LOG_WINDOW: Duration = Duration::from_secs(10);
/// Lines of one place in that time; the rest are summed. All mistakes of a settings file are below, and
/// what a server causes as often as it likes stays at some hundred bytes a second.
pub const LOG_LINES_OF_A_PLACE_MAX: u32 = 40;
/// Of these, lines in a row that are the same.
pub const LOG_LINES_ALIKE_MAX: u32 = 4;
/// How far back the black box goes.
pub const BLACK_BOX_TIME: Duration = Duration::from_secs(600);
/// Samples in it: one a second.
pub const BLACK_BOX_SAMPLES_MAX: usize = 600;
/// Events in it; a box that reports more has reported the same many times.
pub const BLACK_BOX_EVENTS_MAX: usize = 512;
/// An event is cut here; with the one above, events take 160 KiB at most, and samples twice as much.
pub const BLACK_BOX_EVENT_BYTES_MAX: usize = 320;
/// Black boxes that are kept on the disk, newest first.
pub const BLACK_BOXES_KEPT: usize = 4;
/// From one break of the stream that is kept to the next.
pub const BLACK_BOX_KEEP_INTERVAL: Duration = Duration::from_secs(300);
/// From one try to the next to persist the live state, while the storage is full or broken.
pub const LIVE_STATE_RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Changes of settings waiting for a slow disk.
pub const STORE_REQUESTS_MAX: usize = 16;
/// From a client's connection to its whole request, and from an answer to its being taken.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a box that ends waits for clients of the control socket to take their last answers: far less
/// than the service manager's patience.
pub const CONTROL_PARTING_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a client that has closed its sending side is looked at, whether it is still there.
pub const CONTROL_HALF_CLOSED_LOOK: Duration = Duration::from_secs(1);
/// Wait after a client of the control socket that could not be let in.
pub const CONTROL_ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// A client's request: a line and a key.
pub const CONTROL_REQUEST_BYTES_MAX: usize = CONSOLE_LINE_BYTES_MAX + KEY_BYTES_MAX + 2;
/// How often a clock that is not trusted is looked at.
pub const CLOCK_LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A press held for this long means stop.
pub const BUTTON_HOLD: Duration = Duration::from_secs(2);
/// A press held for this long is reported as a stuck button.
pub const BUTTON_STUCK: Duration = Duration::from_secs(10);
/// How often a button, lights or a port that cannot be opened or read are opened again.
pub const DEVICE_REOPEN_INTERVAL: Duration = Duration::from_secs(2);
/// What is pressed this long after the first start of the program was so when the box was switched on;
/// what is replugged later was not.
pub const POWER_UP: Duration = Duration::from_secs(5);
/// Without a service manager, a run that begins within this time after power-up counts as the first:
/// slow boards take a minute to get there.
pub const BOOT: Duration = Duration::from_secs(120);
/// A reset button held for this long, or the other one from power-up on, arms a factory reset.
pub const RESET_HOLD: Duration = Duration::from_secs(10);
/// An armed factory reset happens when the button is released within this time.
pub const RESET_LET_GO: Duration = Duration::from_secs(5);
/// One call of `nmcli`; it waits for nothing, and a busy board takes a second.
pub const NMCLI_TIMEOUT: Duration = Duration::from_secs(20);
/// Settings of the network that NetworkManager did not accept are handed over again after this time.
pub const NETWORK_RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// Asking the service manager for a restart, or `iw` for a country; both only pass it on.
pub const SYSTEM_TOOL_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of each stream of a program: `nmcli` prints a list of some hundred connections.
pub const CHILD_OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// Between looks whether a program has ended.
pub const CHILD_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// From killing a program to its end: one that hangs in a driver ends when that lets go of it, and nobody
/// waits for that.
pub const CHILD_KILLED_PATIENCE: Duration = Duration::from_secs(1);
/// Rounds from a passphrase to its key (IEEE 802.11-2020 annex J.4.1).
pub const WPA_ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();
/// Name servers of an interface; resolvers look at three (resolv.conf(5)).
pub const DNS_SERVERS_MAX: usize = 3;
/// From the beginning of a check to a look whether the port of an rtmps address speaks plain RTMP. TLS
/// is answered within a round trip, which takes 0.6 s by satellite.
pub const PLAIN_LOOK_AFTER: Duration = Duration::from_millis(1_200);
/// A board profile; those that are built in have 1 to 4 KiB.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;
/// A settings file.
pub const SETTINGS_BYTES_MAX: usize = 64 * 1024;
/// Mistakes of a settings file that are listed one by one; a screen shows no more.
pub const SETTINGS_ERRORS_MAX: usize = 32;
/// A path in a settings file; Linux allows four times as much.
pub const PATH_BYTES_MAX: usize = 1_024;

/// Presses of the demo's button that wait for the one before to be over. More are not made.
pub const DEMO_PRESSES_WAITING_MAX: usize = 4;
/// What the demo keeps of the console's output while its keyboard is that of the buttons: some screens.
pub const DEMO_HELD_BYTES_MAX: usize = 64 * 1024;

// ── simulated ingest server ───────────────────────────────────────────────────────────────────

/// One message of a publisher: the largest access unit and as much again for peers without our
/// bound.
pub const SIM_INGEST_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Events that one piece of input may cause. A piece of 64 KiB holds at most some 1,200 audio
/// messages of 50 bytes.
pub const SIM_INGEST_EVENTS_MAX: usize = 4_096;
/// Answers that may wait for a publisher that does not read them.
pub const SIM_INGEST_OUT_BYTES_MAX: usize = 64 * 1024;

// ── capture: what may be asked for ────────────────────────────────────────────────────────────
//
// 1920x1920 at 60 frames a second is H.264 level 5.1, the highest that the hardware encoders of
// small boards offer; they accept 20 Mb/s (25 Mb/s is refused by some).

/// Least width and height of the video, in pixels; hardware encoders reject less.
pub const CAPTURE_SIDE_MIN: u32 = 128;
/// Greatest width of the video, in pixels.
pub const CAPTURE_WIDTH_MAX: u32 = 1_920;
/// Greatest height of the video, in pixels: as wide as a landscape is, for broadcasts that stand upright.
pub const CAPTURE_HEIGHT_MAX: u32 = 1_920;
/// Highest frame rate, in frames a second.
pub const CAPTURE_FPS_MAX: u32 = 60;
/// Lowest video bitrate, in kbit/s.
pub const CAPTURE_VIDEO_KBPS_MIN: u32 = 50;
/// Highest video bitrate, in kbit/s.
pub const CAPTURE_VIDEO_KBPS_MAX: u32 = 20_000;
/// Shortest time between key frames, in milliseconds: a hardware encoder that makes each frame a
/// key frame hangs.
pub const CAPTURE_KEYFRAME_INTERVAL_MS_MIN: u32 = 500;
/// Longest time between key frames, in milliseconds. Platforms refuse or warn above 4 s; a viewer
/// who joins waits this long.
pub const CAPTURE_KEYFRAME_INTERVAL_MS_MAX: u32 = 10_000;
/// Greatest zoom of the camera's video, in percent: of a camera of 1920x1080 a quarter of each side is left
/// then, and one would look at single pixels beyond that.
pub const VIDEO_ZOOM_PERCENT_MAX: u32 = 400;
/// Lowest audio bitrate, in kbit/s.
pub const CAPTURE_AUDIO_KBPS_MIN: u32 = 32;
/// Highest audio bitrate, in kbit/s: AAC-LC at 48 kHz takes 288 kbit/s a channel.
pub const CAPTURE_AUDIO_KBPS_MAX: u32 = 320;
/// Least gain of the audio, in decibels: hardly audible; `audio.mute` is silence.
pub const AUDIO_GAIN_DB_MIN: i32 = -60;
/// Greatest gain of the audio, in decibels: a line input with a microphone in it needs no more, and
/// what is quieter still is noise.
pub const AUDIO_GAIN_DB_MAX: i32 = 24;
/// Lowest low cut, in hertz: below it nobody hears anything.
pub const AUDIO_LOWCUT_HZ_MIN: u32 = 20;
/// Highest low cut, in hertz: above it voices lose their body.
pub const AUDIO_LOWCUT_HZ_MAX: u32 = 400;
/// Longest delay of the audio against the video or of the video against the audio, in milliseconds:
/// capture chains with several converters need 300. Audio of a second is 192 kB.
pub const AUDIO_DELAY_MS_MAX: u32 = 1_000;
/// Video that may wait for that; what is more is sent early. A second at the highest bitrate is 2.5 MB, and
/// twice as much at most while an encoder overshoots.
pub const CAPTURE_VIDEO_DELAYED_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Frames that may wait for that, with the codec configurations: a second at the highest rate.
pub const CAPTURE_VIDEO_DELAYED_FRAMES_MAX: usize = 2 * CAPTURE_FPS_MAX as usize;
/// In place of frames that cannot be read the one before is shown so often in a row: for a second. Then
/// the camera is no better than one that is away.
pub const FRAMES_REPEATED_MAX: u32 = 30;
/// Frames that may wait for the encoder; with as many waiting it is overloaded, and a frame is
/// skipped instead. Four 1080p frames are 12 MB and last 133 ms at 30 frames a second.
pub const CAPTURE_FRAMES_WAITING_MAX: u64 = 4;
/// Frames of a camera that are in use at once at most, while nothing is late: two read, one that is not
/// due, one that is shown, those that wait for the encoder, and those that it works on. A driver gives
/// so many besides those that it fills.
pub const CAPTURE_FRAMES_HELD: u32 = 4 + CAPTURE_FRAMES_WAITING_MAX as u32 + FRAMES_IN_ENCODER;
/// Frames that an encoder works on, which it may be reading where the camera has put them: GStreamer
/// gives a driver two or three.
const FRAMES_IN_ENCODER: u32 = 4;
/// Blocks of 1,024 samples that may wait for the audio encoder: 1 s is 47 of them. More wait before
/// they are made into blocks.
pub const CAPTURE_AUDIO_WAITING_MAX: u64 = 47;
/// From an instant to the encoding of its frame, with or without a new one: a software JPEG decoder
/// takes up to 20 ms, and a loaded machine is late by as much. A frame that has arrived does not
/// wait.
pub const CAPTURE_LATENCY: Duration = Duration::from_millis(60);
/// The same for audio. Missing audio is audible, and a repeated frame is not visible, so this is
/// longer; a lost microphone still becomes silence within 200 ms.
pub const CAPTURE_AUDIO_LATENCY: Duration = Duration::from_millis(120);
/// For this long audio must have been overdue: on a machine that stood still, the thread that
/// delivers it wakes up no sooner than the one that takes it.
pub const CAPTURE_AUDIO_GRACE: Duration = Duration::from_millis(40);
/// Samples per channel in one block, which is one AAC access unit (ISO/IEC 14496-3).
pub const CAPTURE_AUDIO_BLOCK_SAMPLES: usize = 1_024;
/// Real-time priority of the threads that audio depends on (sched(7)); the unit permits no higher one.
/// Above what kernels run at 1 because it matters least, and far below the 50 of interrupts.
pub const AUDIO_REAL_TIME_PRIORITY: u8 = 5;
/// A thread with real-time scheduling that runs for so long without waiting loses it; an audio block of
/// 21 ms is encoded in a fraction of that.
pub const REAL_TIME_RUNS: Duration = Duration::from_millis(500);
/// The kernel ends a process that did not take it away by then.
pub const REAL_TIME_RUNS_MAX: Duration = Duration::from_secs(3);
/// From an encoder's first frame to its first access unit, when it is tried.
pub const CAPTURE_PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// A driver that has not opened or closed a device after this hangs for good.
pub const DRIVER_HANGS: Duration = Duration::from_secs(30);
/// Restarts of an encoder that fails before another one is used.
pub const ENCODER_TRIES_MAX: u32 = 3;
/// An encoder that worked for this long after its start has all its restarts again.
pub const ENCODER_PROVEN: Duration = Duration::from_secs(60);
/// Output of an encoder that is compared with its bitrate as a whole, or that of a key frame interval
/// where this is longer; one second more passes before it, in which the encoder comes to its bitrate.
/// Rate controls with a buffer of a second are at their bitrate by then.
pub const ENCODER_BITRATE_WINDOW: Duration = Duration::from_secs(4);
/// Beyond this part of its bitrate an encoder exceeds it, in percent.
pub const ENCODER_BITRATE_EXCESS_PERCENT: u64 = 150;
/// Up to this part of its bitrate an encoder is within it, in percent: the software encoders are within
/// 10 % on moving detail.
pub const ENCODER_BITRATE_KEPT_PERCENT: u64 = 115;
/// An encoder that delivers what it did before, give or take so much in percent, goes on as before. One
/// that can raise its quantiser by a single step loses 11 %.
pub const ENCODER_BITRATE_SAME_PERCENT: u64 = 10;
/// A source that delivers nothing for this long is lost: a frozen camera must be noticed within 2 s,
/// and one frame a second is still video.
pub const CAPTURE_STALL: Duration = Duration::from_millis(1_500);
/// From the loss of a source to the next try, and between tries: a replugged microphone must be
/// audible within 3 s.
pub const CAPTURE_REOPEN_INTERVAL: Duration = Duration::from_secs(1);
/// Between tries just after a device was plugged in: its node and permissions follow within a second
/// on a busy board.
pub const CAPTURE_REOPEN_AFTER_ARRIVAL: Duration = Duration::from_millis(100);
/// Number of tries that are this close together.
pub const CAPTURE_REOPENS_AFTER_ARRIVAL: u32 = 15;
/// Frames that a JPEG decoder may hold before the oldest count as lost.
pub const CAPTURE_JPEGS_IN_DECODER_MAX: usize = 64;
/// By how much a frame's time may differ behind a JPEG decoder: some count in milliseconds. At 120
/// frames a second the next one is 8 ms away.
pub const CAPTURE_DECODER_TIME_OFF_MAX: Duration = Duration::from_millis(2);
/// From the beginning of a converter's trial until the camera is opened without it: as long as an encoder
/// has for its first access unit.
pub const CAPTURE_CONVERTER_VERDICT: Duration = CAPTURE_PROBE_TIMEOUT;
/// Pieces of work whose converters are remembered: one for each camera, and a few more.
pub const CAPTURE_CONVERTER_WORK_MAX: usize = 16;
/// Runs of the capture whose broadcasts are remembered: one has the devices, one waits for them, one
/// closes them.
pub const CAPTURE_RUNS_MAX: usize = 4;
/// By how much a converter may change luma or chroma, of 255: it rounds, twice where it computes in RGB.
pub const CAPTURE_COLOUR_OFF_MAX: u8 = 3;
/// A camera delivers and its decoder or converter has delivered nothing for this long: it is that one that
/// fails. A healthy one holds a few frames; a frozen camera is noticed after twice as long.
pub const CAPTURE_DEVICE_SILENCE: Duration = Duration::from_millis(750);
/// Frames that a decoder or converter may hold while nothing comes out of it. Those of small boards hold
/// one to three; at one frame a second a fifth one comes before a source is given up that is being opened.
pub const CAPTURE_DEVICE_HOLDS_MAX: usize = 4;
/// From closing a source whose decoder or converter failed until it is opened again with another one,
/// even when it hangs; its camera is free by then.
pub const CAPTURE_DEVICE_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A key frame of an H.264 camera that is older than this queued while the camera was being opened,
/// and does not go on air.
pub const CAPTURE_PASS_AGE_MAX: Duration = Duration::from_millis(300);
/// Video that a clip or an H.264 camera may hold until it is taken; the oldest of a camera's is dropped. Of
/// other cameras two frames are held, and mostly none.
pub const CAPTURE_VIDEO_HELD_MAX: Duration = Duration::from_millis(300);
/// Audio that may be ahead of what is encoded, and that a source may hold until it is taken: 384 KB
/// at 48 kHz and two channels. What is dropped makes what follows early for up to a second.
pub const CAPTURE_AUDIO_AHEAD_MAX: Duration = Duration::from_secs(2);
/// Audio that waits in a sound card's buffer while this process is not scheduled; what comes after that is
/// lost. Longer than a busy machine without real-time scheduling keeps a thread waiting, and within the
/// memory of any card's driver: 96 KB at 48 kHz and two channels. It adds no delay.
pub const CAPTURE_CARD_BUFFER: Duration = Duration::from_millis(500);
/// From `stop` to its return, even when a driver does not let go.
pub const CAPTURE_STOP_TIMEOUT: Duration = Duration::from_millis(1_500);
/// A PNG file of the owner, for slate or logo: a 1080p photograph has some 4 MB.
pub const PNG_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A side of such an image, in pixels.
pub const PNG_SIDE_MAX: u32 = 4_096;
/// Pixels of such an image, 4K as cinemas have it: decoded it takes 34 MiB for a moment, or twice that
/// with 16 bits a colour. A small box has 512 MiB, and is live meanwhile.
pub const PNG_PIXELS_MAX: u32 = 4_096 * 2_160;
/// How much of a recorded stream is read to measure its lip-sync.
pub const LIP_SYNC_RECORDING_MAX: Duration = Duration::from_secs(60);
/// How much of a clip is indexed when a recording is compared with it: 15 MB of thumbnails, loudness
/// and their index at 60 frames a second.
pub const LIP_SYNC_CLIP_MAX: Duration = Duration::from_secs(600);
/// Decoding takes a fraction of a file's length; this bounds a decoder that hangs.
pub const LIP_SYNC_DECODE_TIMEOUT: Duration = Duration::from_secs(300);
/// Runs that may end by themselves before the next one waits.
pub const RESTARTS_FREE: u32 = 3;
/// The first wait of a run after too many that ended by themselves; each later one is twice as long.
pub const RESTART_WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait: a box that is killed is live again within 20 s even then.
pub const RESTART_WAIT_MAX: Duration = Duration::from_secs(10);
/// A run that lasted this long counts as good.
pub const RESTARTS_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Pins of a board's header.
pub const BOARD_HEADER_PINS_MAX: u32 = 100;
/// Board profiles that may inherit from each other in a row.
pub const BOARD_INHERIT_DEPTH_MAX: usize = 8;

// ── relations ─────────────────────────────────────────────────────────────────────────────────

const _: () = assert!(CONSOLE_LINE_BYTES_MAX > URL_BYTES_MAX + KEY_BYTES_MAX);
const _: () = assert!(BUTTON_HOLD.as_millis() < BUTTON_STUCK.as_millis());
const _: () = assert!(STOP_TIMEOUT.as_millis() < STOPPING_TIMEOUT.as_millis());
const _: () = assert!(DEAD_PATH_TIMEOUT.as_millis() + 2 * PROGRESS_TICK.as_millis() < 5_000);
const _: () = assert!(CAPTURE_STALL.as_millis() < 2_000 && CAPTURE_LATENCY.as_millis() < 200);
// Both, and a block of 21 ms at 48 kHz.
const _: () =
    assert!(CAPTURE_AUDIO_LATENCY.as_millis() + CAPTURE_AUDIO_GRACE.as_millis() + 22 < 200);
const _: () = assert!(2 * CAPTURE_DEVICE_SILENCE.as_millis() <= CAPTURE_STALL.as_millis());
const _: () = assert!(CAPTURE_STOP_TIMEOUT.as_millis() < STOPPING_TIMEOUT.as_millis());
const _: () = assert!(NO_OUTPUT_TIMEOUT.as_millis() < HEALTH_OVERLOAD_JUDGED_AFTER.as_millis());
const _: () = assert!(
    HEALTH_OVERLOAD_WINDOW.as_millis() / STATS_INTERVAL.as_millis() < HEALTH_SAMPLES_MAX as u128
);
const _: () =
    assert!(HEALTH_OVERLOAD_JUDGED_AFTER.as_millis() < HEALTH_OVERLOAD_WINDOW.as_millis());
const _: () = assert!(HEALTH_OVERLOAD_WINDOW.as_millis() < OVERLOAD_BEGINS_AFTER.as_millis());
const _: () = assert!(OVERLOAD_EASED_PERCENT < OVERLOAD_PERCENT);
const _: () = assert!(MEMORY_LOW_PERCENT < MEMORY_EASED_PERCENT);
const _: () = assert!(CPU_EASED_PERCENT < CPU_BUSY_PERCENT);
const _: () = assert!(HEALTH_INTERVAL.as_millis() < WARNING_BEGINS_AFTER.as_millis());
const _: () = assert!(REAL_TIME_RUNS.as_millis() < REAL_TIME_RUNS_MAX.as_millis());
const _: () = assert!(REPROBE_INTERVAL.as_secs() < FAULT_WAIT_MAX.as_secs());
const _: () = assert!(WAIT_CUT_MIN.as_millis() * 100 <= BACKOFF_FIRST.as_millis() * 80);
const _: () = assert!(BACKOFF_JITTER_PERCENT < 100);
const _: () = assert!(CLOSED_AT_ONCE.as_millis() < UNACKNOWLEDGED_LIVE.as_millis());
const _: () = assert!(TAKEN_ROUND_MAX.as_secs() < BACKOFF_RESET_AFTER.as_secs());
// An encoder whose bitrate is not lowered is never taken for one that ignores it.
const _: () = assert!(
    ENCODER_BITRATE_KEPT_PERCENT * (100 + ENCODER_BITRATE_SAME_PERCENT)
        < ENCODER_BITRATE_EXCESS_PERCENT * 100
);
const _: () = assert!(FIRST_KEY_TIMEOUT.as_secs() < DRIVER_HANGS.as_secs());
const _: () = assert!(RTMP_IN_MESSAGE_BYTES_MAX <= RTMP_IN_TOTAL_BYTES_MAX);
const _: () = assert!(RTMP_ACK_WINDOW_BYTES_MIN < RTMP_ACK_WINDOW_BYTES);
const _: () = assert!(AMF_STRING_BYTES_MAX <= RTMP_IN_MESSAGE_BYTES_MAX);
const _: () = assert!(SIM_INGEST_MESSAGE_BYTES_MAX >= ACCESS_UNIT_BYTES_MAX);
const _: () = assert!(QUEUE_BYTES_MAX >= ACCESS_UNIT_BYTES_MAX);
const _: () = assert!(FLV_BODY_BYTES_MAX <= 0xFF_FFFF); // the length field has 24 bits
const _: () = assert!(FLV_BODY_BYTES_MAX >= ACCESS_UNIT_BYTES_MAX + 16); // the longest head
const _: () = assert!(PIPE_KEPT_BYTES_MAX > FLV_BODY_BYTES_MAX);
const _: () = assert!(FORCE_KEY_AGAIN.as_millis() < QUEUE_TIME_MAX.as_millis());
const _: () = assert!(
    NEXT_ADDRESS_WITHIN.as_secs()
        + DNS_TIMEOUT.as_secs()
        + TCP_TIMEOUT.as_secs()
        + TLS_TIMEOUT.as_secs()
        + RTMP_HANDSHAKE_TIMEOUT.as_secs()
        + RTMP_CONNECT_TIMEOUT.as_secs()
        + RTMP_CREATE_STREAM_TIMEOUT.as_secs()
        + RTMP_PUBLISH_TIMEOUT.as_secs()
        < ATTEMPT_TIMEOUT.as_secs()
);
const _: () = assert!(NEXT_ADDRESS_WITHIN.as_millis() > TLS_TIMEOUT.as_millis());
const _: () = assert!(NEXT_ADDRESS_WITHIN.as_millis() > RTMP_HANDSHAKE_TIMEOUT.as_millis());
const _: () = assert!(DNS_ADDRESSES_MAX <= ADDRESSES_REMEMBERED_MAX);
const _: () = assert!(SETTINGS_ERRORS_MAX < LOG_LINES_OF_A_PLACE_MAX as usize);
const _: () = assert!((LOG_LINES_OF_A_PLACE_MAX as usize) < LOG_LINES_MAX);
const _: () = assert!(PACE_DROP_WAIT.as_millis() < QUEUE_TIME_MAX.as_millis());
const _: () = assert!(PACE_CLEAR_DELAY.as_millis() < PACE_LIGHT_DELAY.as_millis());
const _: () = assert!(PACE_LIGHT_DELAY.as_millis() < PACE_HEAVY_DELAY.as_millis());
const _: () = assert!(PACE_HEAVY_DELAY.as_millis() < PACE_EMERGENCY_DELAY.as_millis());
const _: () =
    assert!(PACE_POINTS_MAX as u128 * PACE_TICK.as_millis() / 2 > DEAD_PATH_TIMEOUT.as_millis());
const _: () = assert!(RTMP_OUT_LIVE_BYTES <= RTMP_OUT_HIGH_WATER_BYTES);
const _: () = assert!(FILE_AHEAD_BYTES <= RTMP_OUT_HIGH_WATER_BYTES);
