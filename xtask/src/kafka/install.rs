//! Downloads Kafka's libraries from Maven Central.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};

/// The version that the tests run against.
const KAFKA: &str = "4.3.1";
/// Writes Kafka's log to standard output. The version of the `slf4j-api` that Kafka depends on.
const SLF4J: &str = "1.7.36";
const OLDEST_JAVA: u32 = 17;
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// What this machine needs for Kafka and does not have, with a hint.
pub fn missing_requirement(folder: &Path) -> Option<String> {
    let hint = "hint: apt-get install openjdk-17-jdk-headless maven";
    match installed_java() {
        None => return Some(format!("cannot run `java`; Kafka {KAFKA} needs Java {OLDEST_JAVA} or newer\n{hint}")),
        Some(found) if found < OLDEST_JAVA => {
            return Some(format!("`java` is Java {found}; Kafka {KAFKA} needs {OLDEST_JAVA} or newer\n{hint}"));
        }
        Some(_) => {}
    }
    if is_complete(folder) || Command::new("mvn").arg("-version").output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    Some(format!("cannot run `mvn`, which downloads Kafka {KAFKA}\n{hint}"))
}

/// Downloads the class path, unless it is complete.
///
/// # Errors
/// If Maven fails.
pub fn install_libraries(folder: &Path) -> anyhow::Result<()> {
    if is_complete(folder) {
        return Ok(());
    }
    eprintln!("downloading Kafka {KAFKA} from Maven Central");
    let libraries = folder.join("libs");
    let _ = std::fs::remove_dir_all(&libraries);
    let pom = folder.join("pom.xml");
    std::fs::write(&pom, maven_project()).with_context(|| format!("cannot write `{}`", pom.display()))?;
    // Maven writes to standard output even with `-q`; ours is for the address alone.
    let output = Command::new("mvn")
        .args(["-q", "-B", COPY, "-DincludeScope=runtime", "-DoutputDirectory=libs"])
        .current_dir(folder)
        .output()
        .context("cannot run `mvn`")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        bail!("`mvn` cannot download Kafka {KAFKA}: {}\nhint: check the connection to a Maven repository", text.trim());
    }
    std::fs::copy(&pom, libraries.join("pom.xml")).context("cannot mark the libraries as complete")?;
    Ok(())
}

/// The project file is copied beside the libraries once all of them are there.
fn is_complete(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("libs/pom.xml")).is_ok_and(|text| text == maven_project())
}

fn maven_project() -> String {
    // The command-line tools without their dependencies (Connect, a web server).
    let no_dependencies =
        "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
    let dependencies = [
        dependency("org.apache.kafka", "kafka_2.13", KAFKA, ""),
        dependency("org.apache.kafka", "kafka-tools", KAFKA, no_dependencies),
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

/// The major version of the `java` on the path.
fn installed_java() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    if !output.status.success() {
        return None;
    }
    parse_java_version(&String::from_utf8_lossy(&output.stderr))
}

fn parse_java_version(output: &str) -> Option<u32> {
    let (_, version) = output.split_once("version \"")?;
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_java_version;

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(parse_java_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(
            parse_java_version("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21\" 2023-09-19"),
            Some(21)
        );
        assert_eq!(parse_java_version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(parse_java_version("no Java here"), None);
    }
}
