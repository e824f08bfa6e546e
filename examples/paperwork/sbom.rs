//! The list of what is linked in, for programs that look for known defects (CycloneDX 1.5, ECMA-424).

use std::error::Error;

use serde_json::{Value, json};

use super::dependencies::{Dependencies, Package};

pub fn text(dependencies: &Dependencies) -> Result<String, Box<dyn Error>> {
    let Dependencies { program, packages } = dependencies;
    let everything = std::iter::once(program).chain(packages);
    let graph: Vec<Value> = everything
        .map(|package| json!({ "ref": package.purl(), "dependsOn": package.needs }))
        .collect();
    let bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": component(program, "application") },
        "components": packages.iter().map(|p| component(p, "library")).collect::<Vec<_>>(),
        "dependencies": graph,
    });
    Ok(serde_json::to_string_pretty(&bom)? + "\n")
}

fn component(package: &Package, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": package.purl(),
        "name": package.name,
        "version": package.version,
        "purl": package.purl(),
        "licenses": [{ "expression": package.licence }],
    });
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}
