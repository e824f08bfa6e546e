//! A test in namespaces of its own: a network with addresses and routers as it likes, and a hosts file.
//! The kernel is the real one, and nobody needs to be root.

use std::net::{Ipv6Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, thread};

use nix::sched::{CloneFlags, setns};

const INSIDE: &str = "FIRSTMILE_TEST_NAMESPACE";

/// Whether this process is inside. Where it is not, the test of this name runs again inside, and its
/// outcome is ours: `test` is the test's name, `module` what `module_path!()` says.
#[track_caller]
pub fn enter(module: &str, test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        command("ip link set lo up");
        return true;
    }
    let module = module.split_once("::").map_or("", |(_, path)| path);
    let own = env::current_exe().expect("this program");
    let mut inside = Command::new("unshare");
    inside.args(["--user", "--map-root-user", "--net", "--mount"]).arg(own);
    inside.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(INSIDE, "1");
    let done = inside.output().expect("unshare");
    let errors = String::from_utf8_lossy(&done.stderr);
    if errors.contains("unshare: ") {
        super::skip(&format!("this machine forbids namespaces: {}", errors.trim()));
        return false;
    }
    let report = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{report}\n{errors}");
    // The harness is content with a name that is not there.
    assert!(report.contains("1 passed"), "{report}");
    false
}

/// Runs a command line without quotes, inside.
#[track_caller]
pub fn command(line: &str) {
    let mut words = line.split(' ');
    let done = Command::new(words.next().expect("a program")).args(words).output();
    let done = done.unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// What names mean.
pub struct Hosts {
    file: PathBuf,
}

impl Hosts {
    pub fn new() -> Hosts {
        let file = env::temp_dir().join(format!("firstmile-hosts-{}", std::process::id()));
        fs::write(&file, "").expect("a file");
        command(&format!("mount --bind {} /etc/hosts", file.display()));
        Hosts { file }
    }

    /// From now on the name has these addresses, in this order.
    pub fn name(&self, name: &str, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|a| format!("{a} {name}\n")).collect();
        fs::write(&self.file, lines).expect("its own file");
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// Who is asked for names, and nothing else is.
pub struct NameServers {
    files: [PathBuf; 2],
}

impl NameServers {
    pub fn new() -> NameServers {
        let files = ["resolv.conf", "nsswitch.conf"].map(|name| {
            let file = env::temp_dir().join(format!("firstmile-{}-{name}", std::process::id()));
            fs::write(&file, "hosts: dns\n").expect("a file");
            command(&format!("mount --bind {} /etc/{name}", file.display()));
            file
        });
        NameServers { files }
    }

    /// From now on these are asked, in this order.
    pub fn are(&self, addresses: &[&str]) {
        let servers: String = addresses.iter().map(|a| format!("nameserver {a}\n")).collect();
        fs::write(&self.files[0], servers).expect("its own file");
    }
}

impl Drop for NameServers {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

/// The way of packets that a router drops without a word because they are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrow {
    Up,
    Down,
}

pub const SERVER_V4: &str = "10.99.1.2";
pub const SERVER_V6: &str = "2001:db8:1::2";

/// A network whose server is behind a router that says nothing of packets that it drops: those longer
/// than `mtu` this way. The other way all get through.
pub fn make_narrow_path(way: Narrow, mtu: u32) {
    command("mount -t tmpfs tmpfs /run");
    for name in ["router", "server"] {
        command(&format!("ip netns add {name}"));
        command(&format!("ip -n {name} link set lo up"));
    }
    // An address that is still being looked for elsewhere answers nobody (RFC 4862).
    for namespace in ["", "ip netns exec router ", "ip netns exec server "] {
        command(&format!("{namespace}sysctl -qw net.ipv6.conf.default.accept_dad=0"));
    }
    command("ip link add near type veth peer name near netns router");
    command("ip -n router link add far type veth peer name far netns server");
    let at = |namespace: &str, device: &str, v4: &str, v6: &str| {
        let ip = if namespace.is_empty() { "ip" } else { &format!("ip -n {namespace}") };
        command(&format!("{ip} addr add {v4}/24 dev {device}"));
        command(&format!("{ip} -6 addr add {v6}/64 dev {device} nodad"));
        command(&format!("{ip} link set {device} up"));
    };
    at("", "near", "10.99.0.1", "2001:db8:0::1");
    at("router", "near", "10.99.0.2", "2001:db8:0::2");
    at("router", "far", "10.99.1.1", "2001:db8:1::1");
    at("server", "far", SERVER_V4, SERVER_V6);
    command("ip route add default via 10.99.0.2");
    command("ip -6 route add default via 2001:db8:0::2");
    command("ip -n server route add default via 10.99.1.1");
    command("ip -n server -6 route add default via 2001:db8:1::1");
    command("ip netns exec router sysctl -qw net.ipv4.ip_forward=1");
    command("ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1");
    // What the router itself has to say goes nowhere.
    command("ip -n router rule add iif lo blackhole pref 1");
    command("ip -n router -6 rule add iif lo blackhole pref 1");
    narrow(way, mtu);
}

/// From now on this way carries packets of `mtu` bytes and less. Its devices could carry longer ones, as
/// the near end of such a path does.
pub fn narrow(way: Narrow, mtu: u32) {
    let (device, v4, v6) = match way {
        Narrow::Up => ("far", "10.99.1.0/24", "2001:db8:1::/64"),
        Narrow::Down => ("near", "10.99.0.0/24", "2001:db8:0::/64"),
    };
    command(&format!("ip -n router route replace {v4} dev {device} mtu lock {mtu}"));
    command(&format!("ip -n router -6 route replace {v6} dev {device} metric 1 mtu lock {mtu}"));
}

/// How the machines of that network hand to the router what is written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Several segments as one packet (GSO), as between virtual machines: the router drops all of them
    /// for one that is too long.
    Merging,
    /// Each segment as a packet, as a network card does.
    Plain,
}

impl Card {
    pub const BOTH: [Card; 2] = [Card::Merging, Card::Plain];

    /// From now on.
    pub fn put_in(self) {
        let segments = if self == Card::Merging { 65_535 } else { 1 };
        for device in ["near", "-n router near", "-n router far", "-n server far"] {
            let (namespace, device) = device.rsplit_once(' ').unwrap_or(("", device));
            let ip = if namespace.is_empty() { "ip" } else { &format!("ip {namespace}") };
            command(&format!("{ip} link set {device} gso_max_segs {segments}"));
        }
    }
}

/// The server's kernel sends nothing new to find out what was lost (RFC 8985), as those of many do.
pub fn probe_no_tails() {
    command("ip netns exec server sysctl -qw net.ipv4.tcp_early_retrans=0");
}

/// A port of the server, for both families.
pub fn listen_at_the_server() -> TcpListener {
    // What a thread opens belongs to the network that it is in, wherever it is used.
    let opened = thread::spawn(|| {
        let place = fs::File::open("/run/netns/server").expect("a namespace");
        setns(place.as_fd(), CloneFlags::CLONE_NEWNET).expect("root of these namespaces");
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a free port")
    });
    opened.join().expect("no panic")
}
