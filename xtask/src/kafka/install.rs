//! Kafka's own libraries, from Maven Central.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};

/// The Kafka that tests talk to.
const KAFKA: &str = "4.3.1";
/// Writes Kafka's log to standard output; of the `slf4j-api` that this Kafka asks for.
const SLF4J: &str = "1.7.36";
const OLDEST_JAVA: u32 = 17;
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// What this machine lacks, and what can be done about it.
pub fn lacking(folder: &Path) -> Option<String> {
    let hint = "hint: apt-get install openjdk-17-jdk-headless maven";
    match java() {
        None => return Some(format!("cannot run `java`; Kafka {KAFKA} needs Java {OLDEST_JAVA} or newer\n{hint}")),
        Some(found) if found < OLDEST_JAVA => {
            return Some(format!("`java` is Java {found}; Kafka {KAFKA} needs {OLDEST_JAVA} or newer\n{hint}"));
        }
        Some(_) => {}
    }
    if is_complete(folder) || Command::new("mvn").arg("-version").output().is_ok_and(|said| said.status.success()) {
        return None;
    }
    Some(format!("cannot run `mvn`, which fetches Kafka {KAFKA}\n{hint}"))
}

/// Fetches what is on the class path, unless it was fetched before.
///
/// # Errors
/// If Maven cannot.
pub fn libraries(folder: &Path) -> anyhow::Result<()> {
    if is_complete(folder) {
        return Ok(());
    }
    eprintln!("fetching Kafka {KAFKA} from Maven Central");
    let libraries = folder.join("libs");
    let _ = std::fs::remove_dir_all(&libraries);
    let pom = folder.join("pom.xml");
    std::fs::write(&pom, project()).with_context(|| format!("cannot write `{}`", pom.display()))?;
    // Even when quiet Maven writes to standard output, which is for the address alone.
    let said = Command::new("mvn")
        .args(["-q", "-B", COPY, "-DincludeScope=runtime", "-DoutputDirectory=libs"])
        .current_dir(folder)
        .output()
        .context("cannot run `mvn`")?;
    if !said.status.success() {
        let text = String::from_utf8_lossy(&said.stdout);
        bail!("`mvn` could not fetch Kafka {KAFKA}: {}\nhint: it needs a Maven repository", text.trim());
    }
    std::fs::copy(&pom, libraries.join("pom.xml")).context("cannot note that all libraries are there")?;
    Ok(())
}

/// The project is put beside the libraries when all of it has been copied.
fn is_complete(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("libs/pom.xml")).is_ok_and(|text| text == project())
}

fn project() -> String {
    // The tools are for people at the command line; what else they bring (Connect, a web server) is not.
    let tools_alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
    let dependencies = [
        dependency("org.apache.kafka", "kafka_2.13", KAFKA, ""),
        dependency("org.apache.kafka", "kafka-tools", KAFKA, tools_alone),
        dependency("org.slf4j", "slf4j-simple", SLF4J, ""),
    ];
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local-detective</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>0</version>
  <packaging>pom</packaging>
  <dependencies>
{}
  </dependencies>
</project>
",
        dependencies.join("\n")
    )
}

fn dependency(group: &str, artifact: &str, version: &str, more: &str) -> String {
    format!(
        "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{more}</dependency>"
    )
}

/// The Java that is on the path.
fn java() -> Option<u32> {
    let said = Command::new("java").arg("-version").output().ok().filter(|said| said.status.success())?;
    java_version(&String::from_utf8_lossy(&said.stderr))
}

fn java_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("version \"")?;
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::java_version;

    #[test]
    fn java_tells_its_version_in_the_first_number() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(java_version("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(java_version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(java_version("no Java here"), None);
    }
}
