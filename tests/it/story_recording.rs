//! A voice is recorded by whatever this machine has for it, and made small.

use crate::story::{Li, ask, ask_all, text};
use crate::story_voice::{heard, send};

/// A microphone that hears a tone, for whoever records by ALSA: its home, and a folder with these programs alone.
fn microphone(li: &Li, programs: &[&str]) -> (String, String) {
    let home = li.office.path("microphone");
    std::fs::create_dir_all(&home).unwrap();
    let tone: Vec<u8> = (0..48_000 * 5)
        .flat_map(|at: i32| i16::try_from(at * 440 % 48_000 / 4 - 6_000).unwrap().to_le_bytes())
        .collect();
    std::fs::write(home.join("tone.raw"), tone).unwrap();
    let tone = text(&home.join("tone.raw"));
    let device = format!(
        "pcm.null {{ type null }}\npcm.!default {{ type file slave.pcm \"null\" file \"/dev/null\" \
         infile \"{tone}\" format \"raw\" }}\n"
    );
    std::fs::write(home.join(".asoundrc"), device).unwrap();
    let folder = li.office.path(&programs.join("-"));
    std::fs::create_dir_all(&folder).unwrap();
    for program in programs {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|folder| folder.join(program));
        let found = found.into_iter().find(|path| path.is_file());
        let found = found.unwrap_or_else(|| panic!("tests/run installs {program}"));
        std::os::unix::fs::symlink(found, folder.join(program)).unwrap();
    }
    (text(&home), text(&folder))
}

#[tokio::test]
async fn whatever_records_on_this_machine_is_used() {
    let li = Li::at_home().await;
    let programs: [&[&str]; 4] =
        [&["arecord", "ffmpeg"], &["arecord", "opusenc"], &["ffmpeg"], &["sox", "opusenc"]];

    for programs in programs {
        let (home, path) = microphone(&li, programs);
        let record = ["--json", "voice", "record", "--for", "1s", "--to", "妈妈"];
        let mut recording = li.village.command(&record);
        recording.env("HOME", home).env("PATH", path).env("AUDIODRIVER", "alsa");
        let recorded = recording.output().await.unwrap();
        assert!(recorded.status.success(), "{programs:?}: {recorded:?}");
    }

    let came = ask_all(&li.mother, &["inbox"]).await;
    assert_eq!(came.len(), programs.len());
    for letter in came {
        let duration = letter["voice"]["duration_ms"].as_u64().unwrap();
        assert!((900..1_200).contains(&duration), "{letter}");
        assert!(letter["voice"]["size"].as_u64().unwrap() < 8_000, "small: {letter}");
    }
}

#[tokio::test]
async fn where_nothing_records_it_is_said_what_to_install() {
    let li = Li::at_home().await;
    for (programs, missing) in
        [(&[][..], "apt install alsa-utils"), (&["arecord"], "apt install ffmpeg")]
    {
        let (home, path) = microphone(&li, programs);
        let mut recording = li.village.command(&["voice", "record", "--for", "1s"]);
        let recorded = recording.env("HOME", home).env("PATH", path).output().await.unwrap();
        let said = String::from_utf8_lossy(&recorded.stderr);
        assert!(!recorded.status.success() && said.contains(missing), "{said}");
    }
}

#[tokio::test]
async fn another_kind_of_sound_is_made_small() {
    let li = Li::at_home().await;
    let wave = li.office.path("letter.wav");
    let made = std::process::Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=5"])
        .args(["-ac", "2", "-metadata", "title=a secret"])
        .arg(&wave)
        .status();
    assert!(made.expect("tests/run installs ffmpeg").success());

    let seq = send(&li.mother, &wave).await;
    ask_all(&li.village, &["inbox"]).await;
    let heard = heard(&li, &li.village, seq).await;

    assert!(heard.starts_with(b"OggS") && heard.len() < 20_000, "{} bytes", heard.len());
    assert!(!heard.windows(8).any(|part| part == b"a secret"), "nothing but the sound is sent");
    let list = ask(&li.mother, &["voice", "list"]).await;
    let duration = list["voice"]["duration_ms"].as_u64().unwrap();
    assert!((4_900..5_200).contains(&duration), "{list}");
}
