//! Within a room, modules stand on each other in one direction: there is no circle among its files.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Named, named_paths, tokens};
use crate::{File, assert_none, sources};

/// A module of its own file, below the crate, such as `["rtmp", "url"]`.
type Module = Vec<String>;

/// What each file names outside its tests.
fn names(files: &[&File]) -> BTreeMap<Module, Vec<Named>> {
    let named = |file: &&File| {
        let module: Module = file.module().into_iter().map(str::to_owned).collect();
        let named = named_paths(&tokens(&file.text), &file.module());
        (module, named.into_iter().filter(|named| !named.in_test).collect())
    };
    files.iter().map(named).collect()
}

/// The module that a path of `from` leads to, and what is named of it. A name that the module only
/// passes on leads to where it comes from.
fn target(
    from: &Module,
    path: &[String],
    names: &BTreeMap<Module, Vec<Named>>,
    hops: usize,
) -> Option<Module> {
    const HOPS_MAX: usize = 8;
    let path = absolute(from, path, names)?;
    let length = (1..=path.len()).rev().find(|length| names.contains_key(&path[..*length]))?;
    let module = path[..length].to_vec();
    let Some(name) = path.get(length) else { return Some(module) };
    let passed_on = names[&module].iter().filter(|named| named.is_use && named.is_public);
    let mut origins = passed_on.filter(|named| named.path.last() == Some(name));
    match origins.next().filter(|_| hops < HOPS_MAX) {
        Some(origin) => target(&module, &origin.path, names, hops + 1).or(Some(module)),
        None => Some(module),
    }
}

/// A path from the crate on; `None` for those of other crates. Paths may begin with a child's name.
fn absolute(
    from: &Module,
    path: &[String],
    names: &BTreeMap<Module, Vec<Named>>,
) -> Option<Vec<String>> {
    let first = path.first()?;
    if first == "crate" {
        return Some(path[1..].to_vec());
    }
    let child: Vec<String> = from.iter().chain([first]).cloned().collect();
    let is_child = names.contains_key(&child);
    is_child.then(|| from.iter().chain(path).cloned().collect())
}

/// Which module of a room looks into which others of it. Passing a name on is not looking into it.
fn arrows(files: &[&File]) -> BTreeMap<Module, BTreeSet<Module>> {
    let names = names(files);
    let arrows = names.iter().map(|(module, named)| {
        let looks = named.iter().filter(|named| !(named.is_use && named.is_public));
        let targets = looks.filter_map(|named| target(module, &named.path, &names, 0));
        let others = targets.filter(|target| target != module);
        (module.clone(), others.collect())
    });
    arrows.collect()
}

/// Groups of modules of which each leads to each other.
fn circles(files: &[&File]) -> Vec<Vec<Module>> {
    let arrows = arrows(files);
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        arrows.keys().map(|module| (module, reached(module, &arrows))).collect();
    let mut found: Vec<Vec<Module>> = Vec::new();
    for module in arrows.keys().filter(|module| reach[module].contains(module)) {
        if found.iter().flatten().any(|other| other == module) {
            continue;
        }
        let circle = arrows
            .keys()
            .filter(|other| reach[module].contains(other) && reach[*other].contains(module));
        found.push(circle.cloned().collect());
    }
    found
}

/// What can be reached from a module, itself if a circle leads back.
fn reached<'a>(
    from: &Module,
    arrows: &'a BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = arrows.get(from).into_iter().flatten().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(arrows.get(module).into_iter().flatten());
        }
    }
    reached
}

/// The circles of each room, in words.
fn circles_by_room(files: &[File]) -> BTreeMap<String, Vec<String>> {
    let mut rooms: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        rooms.entry(file.room()).or_default().push(file);
    }
    let circles = rooms.into_iter().map(|(room, files)| {
        let arrows = arrows(&files);
        let words = circles(&files).into_iter().map(|circle| {
            let lines = circle.iter().map(|module| {
                let into = arrows[module].iter().filter(|target| circle.contains(target));
                let into: Vec<String> = into.map(|module| module.join("::")).collect();
                format!("  {} looks into {}", module.join("::"), into.join(", "))
            });
            let lines: Vec<String> = lines.collect();
            format!("src/{room}: a circle of {} modules\n{}", circle.len(), lines.join("\n"))
        });
        (room.to_owned(), words.collect::<Vec<_>>())
    });
    circles.filter(|(_, circles)| !circles.is_empty()).collect()
}

#[test]
fn modules_of_a_room_form_no_circle() {
    assert_none(circles_by_room(&sources()).into_values().flatten());
}

fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    let circles = circles(&files.iter().collect::<Vec<_>>());
    let names = |circle: Vec<Module>| circle.iter().map(|m| m.join("::")).collect();
    circles.into_iter().map(names).collect()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    for (a, b) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use crate::room::{b::B, c};", "fn f() { super::a::f() }"),
        ("fn f() -> crate::room::b::B { todo!() }", "use crate::room::a::*;"),
        ("use firstmile::room::b;", "mod inner { use super::super::a::A; }"),
    ] {
        let files = [("room/mod.rs", "mod a; mod b;"), ("room/a.rs", a), ("room/b.rs", b)];
        assert_eq!(found(&files), [["room::a", "room::b"]], "{a} {b}");
    }
    // By way of a name that the room passes on, and of a third module.
    let files = [
        ("room/mod.rs", "mod a; mod b; mod c; pub use c::C;"),
        ("room/a.rs", "use super::b::B;"),
        ("room/b.rs", "use super::C;"),
        ("room/c.rs", "use super::a::A;"),
    ];
    assert_eq!(found(&files), [["room::a", "room::b", "room::c"]]);
    // A room and a child that needs what the room itself defines.
    let files = [
        ("room/mod.rs", "mod a; use a::A; pub struct Of(A);"),
        ("room/a.rs", "pub struct A; fn f(_: super::Of) {}"),
    ];
    assert_eq!(found(&files), [["room", "room::a"]]);
}

#[test]
fn one_direction_tests_and_other_rooms_are_no_circle() {
    let files = [
        ("room/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::B;"),
        ("room/a.rs", "use super::b::B; use crate::other::O; use std::a;"),
        ("room/b.rs", "#[cfg(test)] mod tests { use super::super::a::A; }"),
        ("room/a/c.rs", "use super::super::B; pub(in crate::room) fn f() {}"),
        ("room/b/d.rs", "// use super::super::a;\nconst A: &str = \"super::super::a::A\";"),
    ];
    assert_eq!(found(&files), [[""; 0]; 0]);
}
