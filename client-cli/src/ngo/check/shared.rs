//! Which phones several people use. That is how villages live: it is said, and stops nothing.

use serde::Serialize;

use super::{Family, Member, Phone};

/// A phone that serves several people.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub(in crate::ngo) struct SharedPhone {
    /// What the list calls it.
    pub(in crate::ngo) phone: String,
    /// Case codes of the families that use it, in the order of the list.
    pub(in crate::ngo) families: Vec<String>,
    /// How many people use it.
    pub(in crate::ngo) members: usize,
    /// How many of them are children.
    pub(in crate::ngo) children: usize,
    /// Their lines of the file.
    pub(in crate::ngo) rows: Vec<usize>,
}

impl SharedPhone {
    fn of(phone: &str) -> Self {
        let phone = phone.to_owned();
        Self { phone, families: Vec::new(), members: 0, children: 0, rows: Vec::new() }
    }

    fn serves(&mut self, case_code: &str, members: &[&Member]) {
        self.families.push(case_code.to_owned());
        self.members += members.len();
        self.children += members.iter().filter(|member| !member.role.is_adult()).count();
        self.rows.extend(members.iter().map(|member| member.row));
    }
}

/// The phones that serve several people: first those of one family, as its `device` has it, then those of several, by
/// their `shared_device`; each in the order of the list.
#[must_use]
pub(in crate::ngo) fn shared_phones(families: &[Family]) -> Vec<SharedPhone> {
    let (mut own, mut common) = (Vec::new(), Vec::<SharedPhone>::new());
    for family in families {
        for Phone { label, members } in family.phones() {
            let name = members.iter().find_map(|member| member.shared_device.as_deref());
            let shared = match name {
                None => {
                    own.push(SharedPhone::of(label));
                    own.last_mut()
                }
                Some(name) => {
                    if !common.iter().any(|shared| shared.phone == name) {
                        common.push(SharedPhone::of(name));
                    }
                    common.iter_mut().find(|shared| shared.phone == name)
                }
            };
            if let Some(shared) = shared {
                shared.serves(&family.case_code, &members);
            }
        }
    }
    own.into_iter().chain(common).filter(|shared| shared.members > 1).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::ngo::check::check;

    #[test]
    fn a_phone_of_several_people_or_families_is_named() {
        let list = "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n\
                    LI-7,1,parent,王芳,Europe/Rome,it,妈妈的手机,,2026-05-01,\n\
                    LI-7,2,caregiver,奶奶,Asia/Shanghai,zh-Hans,家里的手机,,2026-05-02,\n\
                    LI-7,3,child,莉莉,Asia/Shanghai,zh-Hans,家里的手机,,2026-05-03,2026-05-04\n\
                    A-1,1,parent,Ana,Europe/Rome,ro,Ana,,2026-05-01,\n\
                    A-1,2,child,Ion,Europe/Chisinau,ro,boarding,School 1,2026-05-03,2026-05-04\n\
                    B-2,1,parent,Eva,Europe/Rome,ro,Eva,,2026-05-01,\n\
                    B-2,2,child,Nina,Europe/Chisinau,ro,boarding,School 1,2026-05-03,2026-05-04\n\
                    C-3,1,parent,Ada,Europe/Rome,ro,Ada,,2026-05-01,\n\
                    C-3,2,child,Oleg,Europe/Chisinau,ro,boarding,School 2,2026-05-03,2026-05-04\n";

        let shared = shared_phones(&check(list.as_bytes(), date(2026, 11, 24)).families);

        let phone = |phone: &str, families: &[&str], children, rows: &[usize]| SharedPhone {
            phone: phone.into(),
            families: families.iter().map(|code| (*code).to_owned()).collect(),
            members: rows.len(),
            children,
            rows: rows.to_vec(),
        };
        let home = phone("家里的手机", &["LI-7"], 1, &[3, 4]);
        let school = phone("School 1", &["A-1", "B-2"], 2, &[6, 8]);
        assert_eq!(shared, [home, school], "a school's phone that one child uses is nobody else's");
    }
}
