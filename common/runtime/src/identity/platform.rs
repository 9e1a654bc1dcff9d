//! One word for each platform and architecture, whatever the source calls it.

/// The product's word for an operating system: `macos`, `windows`, `linux`; other names stay, in lower case.
/// Knows the spellings of Rust, Python, Node and `uname`.
pub fn normalise_platform(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    match name.as_str() {
        "darwin" | "macos" | "macosx" | "mac os" | "mac os x" | "osx" => "macos".to_owned(),
        "win32" | "win64" | "windows" | "windows_nt" | "cygwin" | "msys" | "mingw" => {
            "windows".to_owned()
        }
        "linux" | "linux2" | "gnu/linux" => "linux".to_owned(),
        _ => name,
    }
}

/// The product's word for a processor architecture: `x64`, `arm64`, `x86`, `arm`; other names stay, in lower case.
pub fn normalise_arch(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    match name.as_str() {
        "x64" | "x86_64" | "x86-64" | "amd64" | "em64t" => "x64".to_owned(),
        "arm64" | "aarch64" | "armv8" | "armv8l" | "armv8b" => "arm64".to_owned(),
        "x86" | "ia32" | "i386" | "i486" | "i586" | "i686" => "x86".to_owned(),
        "arm" | "armhf" | "armel" => "arm".to_owned(),
        old if old.starts_with("armv") => "arm".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_platform_is_one_word() {
        let spellings = [
            ("darwin", "macos"),
            ("macOS", "macos"),
            ("win32", "windows"),
            ("Windows_NT", "windows"),
            (" Linux ", "linux"),
        ];
        for (given, word) in spellings {
            assert_eq!(normalise_platform(given), word, "{given}");
        }
        assert_eq!(normalise_platform("FreeBSD"), "freebsd");
    }

    #[test]
    fn every_spelling_of_an_architecture_is_one_word() {
        let spellings = [
            ("x86_64", "x64"),
            ("AMD64", "x64"),
            ("aarch64", "arm64"),
            ("arm64", "arm64"),
            ("i386", "x86"),
            ("i686", "x86"),
            ("armv7l", "arm"),
            ("armv6", "arm"),
        ];
        for (given, word) in spellings {
            assert_eq!(normalise_arch(given), word, "{given}");
        }
        assert_eq!(normalise_arch("riscv64"), "riscv64");
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for word in ["macos", "windows", "linux"] {
            assert_eq!(normalise_platform(word), word);
        }
        for word in ["x64", "arm64", "x86", "arm"] {
            assert_eq!(normalise_arch(word), word);
        }
    }
}
