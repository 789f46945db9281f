//! The stories: a module each, every test with a relay of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows them in test functions, and these are the helpers of tests"
)]

mod hostile_frames;

mod websocket;

mod smuggling;

mod attacks;

mod foreign_ids;

mod cursors;

mod counters;

mod roster;

mod invites;

mod ghosts;

mod removal;

mod healing;

mod closing;

mod admission;

mod anew;

mod enrolment;

mod door;
mod phone_page;

mod fragments;

mod places;

mod proxies;

mod pace;

mod goodbye;

mod operator;

mod carry;

mod live;

mod schedules;

mod banks;

mod redis;

mod deploy;

mod limits;

mod blobs;

mod links;

mod canaries;

mod kill9;

mod erasing;

mod erased_elsewhere;

mod dependencies;
mod desk_refusals;

mod story_enrolment;

mod story_leaving;

mod story_leaving_elsewhere;

mod story_cleaning;

mod story_letters;

mod story_offline;

mod story_schedules;

mod story_contact;

mod story_consent;

mod staff_refusals;
mod story_transfer;

mod story_mail;

mod story_exports;

mod story_reminders;

mod story_banks;

mod story_voice;

mod story_weeks;

mod story_recording;

mod story_exactly_once;

mod story_openapi;

mod story_order;

mod story_phone;
mod story_phone_faults;

mod story_phone_later;

mod story_phone_shared;

mod story_programme;

mod story_kill9;

mod story_canaries;

mod story_newer;

mod story_hostile_relay;

mod story_rollback;

mod story_removal;

mod story_recovery;

mod story_fork;

mod story_staff;

mod story_expiry;

mod story_reissue;

mod story_anew;

mod story_manners;

mod story_demo;
mod story_desk;
mod story_enrol_page;

mod story_meddler;

mod story;

mod scene;

mod two_families;
