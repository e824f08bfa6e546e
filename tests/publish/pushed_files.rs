//! A pushed file arrives whole and with its distances in time, whatever it is like; where it is cut off or
//! damaged, all before that arrives, and the stream is ended in order.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::support::Folder;
use crate::support::flv_tags::{
    Written, as_messages, configurations, description, file, frames, tag, usual, video,
};
use crate::support::scripted::{Met, Scripted, Treatment};
use bytes::Bytes;
use firstmile::clock::Clock;
use firstmile::flv::{TagKind, metadata};
use firstmile::publish::{Carried, Close, FlvFile, Pushed, push};
use firstmile::sim::ingest::session::{Policy, Refuse};

const IN_TIME: Duration = Duration::from_secs(40);

fn recording() -> Treatment {
    Treatment { records: true, ..Treatment::default() }
}

/// Pushes what is at `path` and gives what came of it.
async fn push_path(server: &Scripted, path: &Path, rounds: u32, paced: bool) -> Pushed {
    let clock = Clock::start();
    let file = FlvFile::open(path, rounds, paced.then_some(clock)).unwrap();
    let never = std::future::pending::<Close>();
    let mut unheard = |_: &Carried, _| {};
    let pushed = push(clock, server.target("live"), file, &mut unheard, never);
    tokio::time::timeout(IN_TIME, pushed).await.expect("it ends")
}

/// Pushes these bytes to a server that records them; the push itself must succeed.
async fn push_bytes(bytes: &[u8], paced: bool) -> (Pushed, Met) {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    fs::write(&path, bytes).unwrap();
    let server = Scripted::start(vec![recording()]).await;
    let pushed = push_path(&server, &path, 1, paced).await;
    assert!(pushed.result.is_ok(), "{:?}", pushed.result);
    server.until(|met| met[0].closed).await;
    let met = server.met().remove(0);
    assert!(met.unpublished, "the stream is ended in order");
    (pushed, met)
}

/// What a server got, with script data as it is in a file.
fn messages(met: &Met) -> Vec<(u8, u32, Bytes)> {
    let messages = met.messages.iter();
    let as_in_file = |body: &Bytes| metadata::without_set_data_frame(body.clone());
    messages.map(|(kind, at, body)| (kind.type_id(), *at, as_in_file(body))).collect()
}

#[track_caller]
fn assert_same(got: &[(u8, u32, Bytes)], wanted: &[(u8, u32, Bytes)]) {
    for (n, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert_eq!(
            (got.0, got.1, got.2.len()),
            (wanted.0, wanted.1, wanted.2.len()),
            "message {n}"
        );
        assert!(got.2 == wanted.2, "message {n} is another one");
    }
    assert_eq!(got.len(), wanted.len());
}

/// Pushes a file of these tags, of which each must arrive; with the time `at` as often as it is in the
/// stream.
async fn assert_arrives(tags: &[Written], expected: &[Written]) {
    let (pushed, met) = push_bytes(&file(tags), false).await;
    assert_eq!(pushed.cut, None);
    assert_same(&messages(&met), &as_messages(expected));
}

fn later(tags: &[Written], by_ms: u32) -> Vec<Written> {
    let later = |(kind, at, body): &Written| (*kind, at.wrapping_add(by_ms), body.clone());
    tags.iter().map(later).collect()
}

// Shows F39.
#[tokio::test]
async fn a_file_that_begins_late_or_wraps_is_sent_from_0_with_its_distances() {
    for start in [10_000, 3_600_000, 0xFF_FFFF - 500, (1 << 31) - 500, u32::MAX - 500] {
        assert_arrives(&later(&usual(1), start), &usual(1)).await;
    }
}

#[tokio::test]
async fn a_paced_file_starts_at_once_whatever_its_first_time() {
    let began = std::time::Instant::now();
    let (pushed, met) = push_bytes(&file(&later(&usual(1), 3_600_000)), true).await;
    assert!(began.elapsed() >= Duration::from_millis(900), "it is paced");
    assert_eq!(pushed.media, Duration::from_millis(960));
    assert_same(&messages(&met), &as_messages(&usual(1)));
}

#[tokio::test]
async fn media_an_hour_behind_its_description_starts_at_once() {
    let mut tags = vec![(TagKind::Script, 0, description("usual"))];
    tags.extend(configurations());
    tags.extend(later(&frames(1), 3_600_000));
    assert_arrives(&tags, &usual(1)).await;
}

// Shows F39.
#[tokio::test]
async fn joined_recordings_go_on_without_a_stand_still_or_a_gap() {
    // The second recording begins at 0 again, with configurations of its own; the third an hour later.
    let mut tags = usual(1);
    tags.extend(usual(1));
    tags.extend(later(&usual(1), 3_600_000));
    let (_, met) = push_bytes(&file(&tags), false).await;
    for (kind, longest) in [(9, 80), (8, 80)] {
        let got = messages(&met);
        let is_frame = |body: &Bytes| body[1] == 1;
        let times: Vec<u32> =
            got.iter().filter(|m| m.0 == kind && is_frame(&m.2)).map(|m| m.1).collect();
        assert!(
            times.windows(2).all(|pair| (1..=longest).contains(&(pair[1] - pair[0]))),
            "{times:?}"
        );
        assert!((2_900..=3_100).contains(&times[times.len() - 1]), "{times:?}");
    }
    assert_eq!(met.messages.len(), tags.len());
}

#[tokio::test]
async fn a_file_that_is_played_three_times_has_no_hole_between() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    fs::write(&path, file(&later(&usual(1), 77_000))).unwrap();
    let server = Scripted::start(vec![recording()]).await;
    push_path(&server, &path, 3, false).await.result.unwrap();
    server.until(|met| met[0].closed).await;
    let got = messages(&server.met()[0]);
    assert_eq!(got.len(), 3 * usual(1).len());
    let times: Vec<u32> = got.iter().filter(|m| m.0 == 9 && m.2[1] == 1).map(|m| m.1).collect();
    assert!(times.windows(2).all(|pair| (1..=80).contains(&(pair[1] - pair[0]))), "{times:?}");
}

// Shows F38.
#[tokio::test]
async fn a_file_cut_off_anywhere_delivers_its_whole_tags_and_says_where_it_ends() {
    let tags = usual(1);
    let bytes = file(&tags);
    for (missing, paced) in [(1 + 4, false), (30, false), (300, true)] {
        let whole = bytes.len() - missing;
        let (pushed, met) = push_bytes(&bytes[..whole], paced).await;
        let got = messages(&met);
        assert_same(&got, &as_messages(&tags[..got.len()]));
        let end: usize =
            13 + tags[..=got.len()].iter().map(|written| tag(written).len()).sum::<usize>();
        assert!(end > whole, "the next tag was not whole");
        let cut = pushed.cut.expect("it is cut off");
        assert!(cut.message.contains(&format!("byte {whole}")), "{}", cut.message);
        assert_eq!(cut.time_ms, u64::from(got.last().unwrap().1));
    }
}

#[tokio::test]
async fn a_file_damaged_to_its_end_delivers_what_is_whole_before_and_names_the_byte() {
    let tags = usual(1);
    let bytes = file(&tags);
    let at = 13 + tags[..40].iter().map(|written| tag(written).len()).sum::<usize>();
    type Damage = fn(&mut [u8]);
    let damages: [(&str, Damage); 2] = [
        ("a power cut leaves zeros", |rest| rest.fill(0)),
        ("noise", |rest| rest.iter_mut().enumerate().for_each(|(n, b)| *b = (n * 89 + 41) as u8)),
    ];
    for (what, damage) in damages {
        let mut damaged = bytes.clone();
        damage(&mut damaged[at..]);
        let (pushed, met) = push_bytes(&damaged, false).await;
        assert_same(&messages(&met), &as_messages(&tags[..40]));
        let cut = pushed.cut.unwrap_or_else(|| panic!("{what}: not noticed"));
        assert!(cut.message.contains(&format!("byte {at}")), "{what}: {}", cut.message);
    }
}

/// Where the tag number `n` begins.
fn begin_of(tags: &[Written], n: usize) -> usize {
    13 + tags[..n].iter().map(|written| tag(written).len()).sum::<usize>()
}

#[tokio::test]
async fn a_file_damaged_in_its_middle_delivers_every_whole_tag_and_names_both_places() {
    let tags = usual(2);
    let bytes = file(&tags);
    let (at, behind) = (begin_of(&tags, 40), begin_of(&tags, 50));
    type Damage = fn(&mut [u8]);
    let damages: [(&str, usize, Damage); 4] = [
        ("zeros", 50, |hole| hole.fill(0)),
        ("noise", 50, |hole| {
            hole.iter_mut().enumerate().for_each(|(n, b)| *b = (n * 89 + 41) as u8)
        }),
        ("another stream id", 41, |hole| hole[9] = 7),
        ("a wrong length", 41, |hole| hole[2] ^= 0xFF),
    ];
    for (what, next, damage) in damages {
        let mut damaged = bytes.clone();
        damage(&mut damaged[at..behind]);
        let (pushed, met) = push_bytes(&damaged, false).await;
        let whole = [&tags[..40], &tags[next..]].concat();
        assert_same(&messages(&met), &as_messages(&whole));
        let cut = pushed.cut.unwrap_or_else(|| panic!("{what}: not noticed"));
        let places = [at, begin_of(&tags, next)].map(|place| format!("byte {place}"));
        assert!(places.iter().all(|place| cut.message.contains(place)), "{what}: {}", cut.message);
        assert!(cut.goes_on, "{what}");
    }
}

/// What was damaged is named once, in each round and on each connection.
// Shows F38.
#[tokio::test]
async fn a_damaged_file_that_is_played_twice_over_two_connections_names_each_place_once() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    let tags = usual(2);
    let mut bytes = file(&tags);
    bytes[begin_of(&tags, 30) + 9] = 7;
    bytes[begin_of(&tags, 60) + 9] = 7;
    fs::write(&path, &bytes).unwrap();
    let server = Scripted::start(vec![moving_to("/other", 40), recording()]).await;
    let pushed = push_path(&server, &path, 2, true).await;
    assert!(pushed.result.is_ok(), "{pushed:?}");
    let cut = pushed.cut.expect("it is damaged");
    assert_eq!(cut.message.matches("next whole tag").count(), 2, "{}", cut.message);
}

#[tokio::test]
async fn each_round_of_a_damaged_file_delivers_what_is_whole() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    let bytes = file(&usual(1));
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let server = Scripted::start(vec![recording()]).await;
    let pushed = push_path(&server, &path, 2, false).await;
    assert!(pushed.result.is_ok() && pushed.cut.is_some());
    server.until(|met| met[0].unpublished).await;
    assert_eq!(server.met()[0].messages.len(), 2 * (usual(1).len() - 1));
}

#[tokio::test]
async fn a_key_frame_of_five_megabytes_is_sent() {
    let mut tags = usual(1);
    let key = tags.iter_mut().find(|written| written.2.starts_with(b"\x17\x01")).unwrap();
    key.2 = video(0, true, 5_000_000, 0);
    assert_arrives(&tags.clone(), &tags).await;
}

#[tokio::test]
async fn files_without_description_audio_or_video_are_sent_as_they_are() {
    let usual = usual(1);
    for left_out in [TagKind::Script, TagKind::Audio, TagKind::Video] {
        let tags: Vec<Written> = usual.iter().filter(|tag| tag.0 != left_out).cloned().collect();
        assert_arrives(&tags, &tags).await;
    }
}

#[tokio::test]
async fn odd_tags_are_sent_as_they_are() {
    let mut tags = usual(2);
    let middle = tags.iter().position(|written| written.1 == 1_000).unwrap();
    let other = configurations()[0].2.iter().map(|b| if *b == 0x1E { 0x1F } else { *b }).collect();
    let odd = [
        (TagKind::Script, 1_000, description("another one")),
        (TagKind::Script, 1_000, b"\x02\0\x0AonTextData\x08\0\0\0\0\0\0\x09".to_vec()),
        (TagKind::Video, 1_000, other), // the configuration changes
        (TagKind::Video, 1_000, video(1, true, 100, -40)), // shown before it is decoded
        (TagKind::Video, 1_000, b"\x57\0".to_vec()), // a command to a player
        (TagKind::Video, 1_000, Vec::new()), // nothing
        (TagKind::Audio, 1_000, b"\x2F\xFF\xFB".to_vec()), // MP3
        (TagKind::Video, 1_000, b"\x14\0\0\0".to_vec()), // VP6
        (TagKind::Video, 1_000, b"\x17\x02\0\0\0".to_vec()), // the end of a sequence
    ];
    tags.splice(middle..middle, odd);
    assert_arrives(&tags.clone(), &tags).await;
}

#[tokio::test]
async fn unknown_tags_and_wrong_sizes_behind_tags_are_passed_over() {
    let tags = usual(1);
    let mut bytes = file(&[]);
    for (n, written) in tags.iter().enumerate() {
        let mut tag = tag(written);
        if n % 3 == 0 {
            let mut unknown = tag.clone();
            unknown[0] = 15;
            bytes.extend(unknown);
        }
        let size_at = tag.len() - 4;
        tag[size_at..].copy_from_slice(&(n as u32).to_be_bytes());
        bytes.extend(tag);
    }
    let (pushed, met) = push_bytes(&bytes, false).await;
    assert_eq!(pushed.cut, None);
    assert_same(&messages(&met), &as_messages(&tags));
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_pushed_is_sent_as_far_as_it_has_grown() {
    let tags = usual(2);
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    let half = tags.len() / 2;
    fs::write(&path, file(&tags[..half])).unwrap();
    let server = Scripted::start(vec![recording()]).await;
    let growing = async {
        server.until(|met| met.first().is_some_and(|met| met.video > 2)).await;
        let mut appended = OpenOptions::new().append(true).open(&path).unwrap();
        tags[half..].iter().for_each(|written| appended.write_all(&tag(written)).unwrap());
    };
    let (pushed, ()) = tokio::join!(push_path(&server, &path, 1, true), growing);
    assert!(pushed.result.is_ok() && pushed.cut.is_none());
    server.until(|met| met[0].closed).await;
    assert_same(&messages(&server.met()[0]), &as_messages(&tags));
}

/// A pipe that is written to slowly, so that there is nothing to read for most of the time.
#[tokio::test]
async fn a_pipe_is_pushed_while_it_is_written_to() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let tags = usual(1);
    let (to, written) = (path.clone(), tags.clone());
    let writer = std::thread::spawn(move || {
        let mut pipe = OpenOptions::new().write(true).open(to).unwrap();
        pipe.write_all(&file(&[])).unwrap();
        for written in &written {
            pipe.write_all(&tag(written)).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let server = Scripted::start(vec![recording()]).await;
    let pushed = push_path(&server, &path, 1, false).await;
    writer.join().unwrap();
    assert!(pushed.result.is_ok() && pushed.cut.is_none(), "{pushed:?}");
    server.until(|met| met[0].unpublished).await;
    assert_same(&messages(&server.met()[0]), &as_messages(&tags));
}

/// The server breaks on what is sent ahead, so that the stream has to begin again.
#[tokio::test]
async fn a_pipe_begins_again_for_a_server_that_got_its_begin_in_vain() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (to, tags) = (path.clone(), usual(1));
    let bytes = file(&tags);
    let writer = std::thread::spawn(move || {
        OpenOptions::new().write(true).open(to).unwrap().write_all(&bytes).unwrap();
    });
    let breaking = Treatment { hates_pipelining: true, ..Treatment::default() };
    let server = Scripted::start(vec![breaking, recording()]).await;
    let pushed = push_path(&server, &path, 1, false).await;
    writer.join().unwrap();
    assert!(pushed.result.is_ok(), "{pushed:?}");
    server.until(|met| met.len() == 2 && met[1].unpublished).await;
    assert_same(&messages(&server.met()[1]), &as_messages(&tags));
}

fn moving_to(place: &str, after: u64) -> Treatment {
    Treatment { move_after: Some((after, place.to_owned())), ..recording() }
}

/// The frames of a stream with their times, moved by `by_ms`: what tells one from another.
fn frames_of(met: &Met) -> Vec<Bytes> {
    let is_frame = |body: &Bytes| body.get(1) == Some(&1) && body.len() > 20;
    met.messages.iter().map(|m| m.2.clone()).filter(is_frame).collect()
}

#[tokio::test]
async fn where_the_server_asks_for_it_another_connection_takes_over_before_the_first_is_closed() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    let tags = usual(4);
    fs::write(&path, file(&tags)).unwrap();
    let server = Scripted::start(vec![moving_to("/other", 30), recording()]).await;
    let pushed = push_path(&server, &path, 1, true).await;
    assert!(pushed.result.is_ok() && pushed.cut.is_none(), "{pushed:?}");
    server.until(|met| met.len() == 2 && met.iter().all(|met| met.closed)).await;
    let met = server.met();
    assert!(met[1].overlapped && met[1].app == "other", "{:?}", met[1].app);
    assert!(!met[0].unpublished && met[1].unpublished, "only the last one ends the stream");
    assert_eq!(pushed.media, Duration::from_millis(3_968));
    // The new one has the description, the configurations and a key frame first, at its 0.
    let got = messages(&met[1]);
    assert_eq!((got[0].0, got[1].0, got[2].0), (18, 9, 8));
    assert!(got[1].2[..2] == [0x17, 0] && got[2].2[..2] == [0xAF, 0]);
    assert!(got[3].2[..2] == [0x17, 1] && got[..4].iter().all(|message| message.1 == 0));
    // Nothing is missing: what the first has, and then what the second has, is the file.
    let (first, second) = (frames_of(&met[0]), frames_of(&met[1]));
    let begins = first.iter().position(|body| *body == second[0]).expect("one shared key frame");
    let shared = first.len() - begins;
    assert!(shared <= second.len() && first[begins..] == second[..shared], "the same frames");
    let all: Vec<Bytes> = first[..begins].iter().chain(&second).cloned().collect();
    let file: Vec<Bytes> = frames(4).into_iter().map(|(_, _, body)| body.into()).collect();
    assert!(all == file, "{} of {} frames", all.len(), file.len());
    // Its frames keep their distances.
    let times: Vec<u32> = got.iter().filter(|m| m.0 == 9 && m.2[1] == 1).map(|m| m.1).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 40), "{times:?}");
}

#[tokio::test]
async fn where_a_second_publisher_is_refused_the_first_connection_leaves_and_nothing_is_missing() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    fs::write(&path, file(&usual(4))).unwrap();
    let refuse = Refuse {
        code: "NetStream.Publish.BadName".to_owned(),
        description: "Already publishing".to_owned(),
    };
    let refusing = Treatment {
        policy: Policy { refuse_publish: Some(refuse), ..Policy::default() },
        ..Treatment::default()
    };
    let server = Scripted::start(vec![moving_to("/live", 30), refusing, recording()]).await;
    let pushed = push_path(&server, &path, 1, true).await;
    assert!(pushed.result.is_ok(), "{pushed:?}");
    server.until(|met| met.len() == 3 && met[2].closed).await;
    let met = server.met();
    assert!(met[0].unpublished && met[2].unpublished);
    let (first, last) = (frames_of(&met[0]), frames_of(&met[2]));
    let begins = first.iter().position(|body| *body == last[0]).expect("a key frame that was sent");
    let all: Vec<Bytes> = first[..begins].iter().chain(&last).cloned().collect();
    let file: Vec<Bytes> = frames(4).into_iter().map(|(_, _, body)| body.into()).collect();
    assert!(all == file, "{} of {} frames", all.len(), file.len());
}

#[tokio::test]
async fn a_move_to_nowhere_leaves_the_file_where_it_is() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    let tags = usual(3);
    fs::write(&path, file(&tags)).unwrap();
    let nowhere = format!("rtmp://127.0.0.1:{}/live", crate::support::free_port());
    let server = Scripted::start(vec![moving_to(&nowhere, 20)]).await;
    let pushed = push_path(&server, &path, 1, true).await;
    assert!(pushed.result.is_ok(), "{pushed:?}");
    server.until(|met| met[0].closed).await;
    assert_same(&messages(&server.met()[0]), &as_messages(&tags));
}

#[tokio::test]
async fn a_stop_ends_both_connections_of_a_move() {
    let folder = Folder::new("pushed");
    let path = folder.path().join("pushed.flv");
    fs::write(&path, file(&usual(30))).unwrap();
    let server = Scripted::start(vec![moving_to("/other", 30), recording()]).await;
    let clock = Clock::start();
    let file = FlvFile::open(&path, 1, Some(clock)).unwrap();
    let stop = async {
        server.until(|met| met.len() == 2).await;
        Close::Polite
    };
    let mut unheard = |_: &Carried, _| {};
    let pushed = push(clock, server.target("live"), file, &mut unheard, stop);
    let pushed = tokio::time::timeout(IN_TIME, pushed).await.expect("it ends");
    assert!(pushed.result.is_ok(), "{pushed:?}");
    server.until(|met| met.iter().all(|met| met.closed)).await;
}
