//! What a card says beside names, in the language of its family; English where we have no other.

/// The lines of a card.
#[derive(Debug)]
pub(super) struct Wording {
    /// BCP 47, for the page's `lang`.
    pub(super) tag: &'static str,
    /// What the card is.
    pub(super) title: &'static str,
    /// Before the names.
    pub(super) for_whom: &'static str,
    /// Before the phone's label.
    pub(super) phone: &'static str,
    /// Before the last day.
    pub(super) valid_until: &'static str,
    /// What to do, in order.
    pub(super) steps: [&'static str; 3],
    /// What not to do.
    pub(super) warning: &'static str,
    /// Before the case code.
    pub(super) code: &'static str,
}

const ZH: Wording = Wording {
    tag: "zh-Hans",
    title: "家书",
    for_whom: "给",
    phone: "手机",
    valid_until: "有效期至",
    steps: [
        "打开手机相机，对准这个方块。",
        "点一下屏幕上出现的网址。",
        "照屏幕上说的做，就能收到家人的信。",
    ],
    warning: "这张卡只能用一次。不要给外人看，不要拍照，也不要转发。",
    code: "编号",
};

const RO: Wording = Wording {
    tag: "ro",
    title: "Scrisori de acasă",
    for_whom: "Pentru",
    phone: "Telefonul",
    valid_until: "Valabil până la",
    steps: [
        "Deschideți camera telefonului și țineți-o spre pătrat.",
        "Atingeți adresa care apare pe ecran.",
        "Urmați pașii de pe ecran: apoi vin scrisorile familiei.",
    ],
    warning: "Cardul merge o singură dată. Nu-l arătați altora, nu-l fotografiați, nu-l trimiteți.",
    code: "Cod",
};

const EN: Wording = Wording {
    tag: "en",
    title: "Letters from home",
    for_whom: "For",
    phone: "Phone",
    valid_until: "Valid until",
    steps: [
        "Open the phone's camera and point it at the square.",
        "Tap the address that appears on the screen.",
        "Follow the steps on the screen: then your family's letters arrive.",
    ],
    warning: "This card works once. Do not show it to others, photograph it or pass it on.",
    code: "Code",
};

/// The wording for a language tag, by its first part.
pub(super) fn of(language: &str) -> &'static Wording {
    match language.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "zh" | "cmn" => &ZH,
        "ro" => &RO,
        _ => &EN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_speaks_the_language_of_its_family() {
        let cases =
            [("zh-Hans", "zh-Hans"), ("zh", "zh-Hans"), ("RO", "ro"), ("it", "en"), ("", "en")];

        for (language, tag) in cases {
            assert_eq!(of(language).tag, tag, "{language}");
        }
    }
}
