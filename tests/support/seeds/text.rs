use super::{Made, made};
use crate::fuzz::text::{ASK_SECRET, CANARY, CHANGE_PROMPT, SAY_SOMETHING};

const PLATFORMS: &str = include_str!("../../data/platform_urls.toml");

pub fn url() -> Vec<Made> {
    let mut seeds = Vec::new();
    let lines = PLATFORMS.lines().filter_map(|line| {
        let (name, value) = line.split_once(" = \"")?;
        matches!(name, "server" | "combined").then(|| value.trim_end_matches('"'))
    });
    for (n, address) in lines.enumerate() {
        seeds.push(made(format!("platform-{n:02}"), address));
    }
    let odd = [
        ("ipv6", "rtmp://[2001:db8::1]:1936/live/k3yk3y"),
        ("ipv4-in-ipv6", "rtmp://[::ffff:192.0.2.7]/live"),
        ("login", "rtmps://user:p%40ssw0rd@Host.Example./app/inst"),
        ("login-without-password", "rtmp://user@host.example/app"),
        ("template", "rtmp://host.example/app/{stream_key}?bandwidthtest=true"),
        ("template-with-prefix", "rtmp://host.example/app/x_{stream_key}_y"),
        ("unnamed-app", "rtmp://host.example/"),
        ("unnamed-app-template", "rtmp://host.example/{stream_key}"),
        ("query-with-slash", "rtmp://host.example/live?a=b/c&d=e/streamname"),
        ("definst", "rtmp://host.example/live/_definst_/mp4:name"),
        ("bom-and-blanks", "\u{feff}  rtmps://host.example:443/live \r\n"),
        ("upper-case", "RTMPS://HOST.EXAMPLE/Live"),
        ("default-port", "rtmp://host.example:1935/live"),
        ("no-app", "rtmp://host.example"),
        ("http", "https://host.example/live"),
        ("port-0", "rtmp://host.example:0/live"),
        ("port-too-large", "rtmp://host.example:65536/live"),
        ("two-placeholders", "rtmp://h/{stream_key}/{stream_key}"),
        ("unicode-host", "rtmp://bücher.example/live"),
    ];
    seeds.extend(odd.map(|(name, address)| made(name, address)));
    seeds
}

pub fn settings() -> Vec<Made> {
    let good = [
        ("nothing", String::new()),
        ("box", "[box]\nname = \"stage\"\nstart_without_camera = true\n".into()),
        ("defaults", "[box]\nname = \"firstmile\"\nstart_without_microphone = false\n".into()),
        ("video", "[video]\nwidth = 1280\nheight = 720\nfps = 25\nbitrate_kbps = 4_500\n".into()),
        ("hexadecimal", "[video]\nfps = 0x1E\nkeyframe_interval_ms = 2_000\n".into()),
        ("audio", "[audio]\nbitrate_kbps = 160\nchannels = 1\n".into()),
        ("destination", destination("url = \"rtmps://live.example/app\"")),
        ("key", destination(&format!("url = \"rtmps://live.example/app\"\nkey = \"{CANARY}\""))),
        ("plain", destination("url = \"rtmp://192.0.2.7/live\"\nallow_plain = true")),
        ("off", destination("enabled = false\nca_file = \"/etc/ca.pem\"")),
        ("login", destination("url = \"rtmps://user:s3cr3tword@live.example/app?token=abc\"")),
        ("template", destination("url = \"rtmps://live.example/app/{stream_key}?a=b\"")),
        ("two", destination("") + &destination("").replace("main", "hall")),
        (
            "inline",
            "box = { name = \"ünï\" }\ndestination = [{ name = \"a\" }, { name = \"b\" }]\n".into(),
        ),
        ("dotted", "box.name = 'it''s'\n".replace("''", "-")),
        ("escapes", "[box]\nname = \"a\\u00e9\\\"\\\\b\"\n".into()),
    ];
    let bad = [
        ("unknown-key", "[video]\nbitrate = 4000\n".to_owned()),
        ("out-of-range", "[video]\nfps = 1000\nwidth = 1281\n".into()),
        ("key-before-equals", destination(&format!("{CANARY} = 1"))),
        ("key-behind-its-name", destination(&format!("key{CANARY} = 1"))),
        ("key-without-quotes", destination(&format!("key = {CANARY}"))),
        ("key-with-blank", destination(&format!("key = \"{CANARY} x\""))),
        ("quote-not-closed", destination(&format!("key = \"{CANARY}"))),
        ("plain-refused", destination("url = \"rtmp://live.example/app\"")),
        ("same-name", destination("") + &destination("")),
        ("single-brackets", "[destination]\nname = \"a\"\n".into()),
        ("too-many", (0..9).map(|n| destination("").replace("main", &format!("d{n}"))).collect()),
        (
            "many-mistakes",
            "[video]\n".to_owned() + &(0..40).map(|n| format!("x{n} = 1\n")).collect::<String>(),
        ),
        ("deep", format!("a = {}1{}\n", "[".repeat(90), "]".repeat(90))),
    ];
    let mut seeds: Vec<Made> = good
        .into_iter()
        .chain(bad)
        .map(|(name, text)| made(name, format!("version = 1\n{text}")))
        .collect();
    seeds.push(made("no-version", "[video]\nfps = 25\n"));
    seeds.push(made("other-version", "version = 2\n"));
    seeds.push(made("bom", "\u{feff}version = 1\r\n"));
    seeds.push(made("no-text", b"version = 1\n\xFF\xFE"));
    seeds
}

fn destination(lines: &str) -> String {
    format!("[[destination]]\nname = \"main\"\n{lines}\n")
}

pub fn console() -> Vec<Made> {
    let ask = char::from(ASK_SECRET);
    let (say, prompt) = (char::from(SAY_SOMETHING), char::from(CHANGE_PROMPT));
    let typed = [
        ("status", "status\r".to_owned()),
        ("help", "help destination list\r\n".into()),
        ("question-mark", "?\n".into()),
        ("unknown", "stauts now\r".into()),
        ("too-many-words", "live now\r".into()),
        ("nothing", "\r\r\n\n".into()),
        ("completed", "sta\t\rde\t\rhelp ab\t\r".into()),
        ("choices", "s\t\ttatus\r".into()),
        ("backspace", "stop\x08\x08\x7fatus\r".into()),
        ("in-the-middle", "sttus\x1b[D\x1b[D\x1b[Da\r".into()),
        ("home-end-delete", "xstatus\x01\x1b[3~\x05y\x08\x1b[H\x1b[F\r".into()),
        ("kill-line-and-word", "one two three\x17\x17\x15four\r".into()),
        ("history", "status\rabout\r\x1b[A\x1b[A\r\x1bOA\x1bOB\r".into()),
        ("draft-returns", "status\rwat\x1b[A\x1b[Bch\r".into()),
        ("interrupted", "stat\x03watch\r".into()),
        ("redrawn", "stat\x0cus\r".into()),
        ("wide-characters", "grüße 你好 🎥\x1b[D\x1b[D\x08\r".into()),
        ("broken-character", "a\u{e9}b\r".into()),
        ("unknown-escape", "\x1b[12;34Rab\x1b[200~c\x1bxd\r".into()),
        ("blank-line-end", "status   \r".into()),
        ("secret", format!("{ask}k3y-0123\rstatus\r")),
        ("secret-edited", format!("{ask}abc\x08\x17xyz\x0c\t\x1b[A\rabout\r")),
        ("secret-given-up", format!("{ask}abc\x03\rlive\r")),
        ("secret-empty", format!("{ask}\rstop\r")),
        ("secret-too-long", format!("{ask}{}\rstop\r", "k".repeat(1_030))),
        ("secret-over-a-line", format!("stat{ask}abc\rstatus\r")),
        ("message-while-typing", format!("sta{say}tus\r{say}{say}\r")),
        ("prompt-changes-while-typing", format!("sta{prompt}tus\x1b[D\x1b[Dx\r")),
        ("too-long", format!("{}\rstatus\r", "x".repeat(4_100))),
        ("long-line-recalled", format!("{}\r\x1b[A\x01\x1b[3~\r", "y".repeat(600))),
    ];
    typed.into_iter().map(|(name, text)| made(name, text)).collect()
}

pub fn board() -> Vec<Made> {
    let files = [
        ("rpi4", include_str!("../../../board/rpi4.toml")),
        ("generic-uvc", include_str!("../../../board/generic-uvc.toml")),
        ("sim", include_str!("../../../board/sim.toml")),
    ];
    let mut seeds: Vec<Made> = files.iter().map(|(name, text)| made(*name, text)).collect();
    let heir = "inherit = \"sim.toml\"\ncompatible = [\"a,b\"]\ndescription = \"c\"\n";
    let more = [
        ("heir", ""),
        (
            "file-camera",
            "[camera]\nsource = \"file\"\npath = \"a.mp4\"\n[microphone]\nsource = \"camera-file\"\n",
        ),
        (
            "launch",
            "[camera]\nsource = \"launch\"\nlaunch = \"libcamerasrc\"\n[microphone]\nsource = \"silence\"\n",
        ),
        ("alsa", "[microphone]\nsource = \"alsa\"\ndevice = \"default\"\n"),
        ("pty", "[console]\nport = \"pty\"\n"),
        ("serial", "[console]\nport = \"serial\"\npath = \"/dev/ttyS0\"\nbaud = 115200\n"),
        ("no-button", "[button]\nbackend = \"none\"\n"),
        ("no-lights", "[lights]\nbackend = \"none\"\n"),
        ("small", "[video]\nwidth = 128\nheight = 128\nfps = 1\n"),
        ("inline-tables", "video = { width = 640, height = 360 }\naudio.channels = 1\n"),
        ("unknown-key", "[video]\nwidht = 1280\n"),
        ("odd-width", "[video]\nwidth = 1281\n"),
        ("too-fast", "[video]\nfps = 61\n"),
        ("text-for-number", "[video]\nfps = \"30\"\n"),
        ("no-toml", "[video\n"),
        ("key-of-another-source", "[camera]\nsource = \"test-pattern\"\npath = \"a\"\n"),
    ];
    seeds.extend(more.map(|(name, text)| made(name, format!("{heir}{text}"))));
    seeds.push(made("circle", heir.replace("sim", "self")));
    seeds.push(made("orphan", heir.replace("sim", "nobody")));
    seeds.push(made("empty", ""));
    seeds
}
