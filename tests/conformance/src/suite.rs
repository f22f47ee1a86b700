//! The macro that makes a test of each case; the one list of them all.

/// Makes a module `conformance` in which each case is a `#[test]`, each on a harness of its own.
///
/// The argument is an expression that makes a [`Harness`](crate::Harness). It is evaluated inside
/// modules that import all that is in scope where the macro stands, so names in it need no path.
/// To run the suite on several stores in one file, give each a module of its own.
#[macro_export]
macro_rules! suite {
    ($harness:expr) => {
        mod conformance {
            #[allow(unused_imports)]
            use super::*;

            $crate::__group! { run, $harness, records:
                absent_key_has_an_empty_slot
                load_of_no_keys_is_empty
                load_answers_in_the_order_asked_for
                load_answers_keys_and_scopes_together
                record_with_an_empty_payload_is_kept
                record_with_one_byte_is_kept
                record_of_one_mebibyte_is_kept
                bytes_that_are_no_record_are_kept
                odd_keys_are_told_apart
                key_and_scope_of_one_text_are_two_things
                save_replaces_what_was_there
                largest_record_is_kept
                record_too_large_is_refused_and_leaves_what_was_there
                delete_counts_the_records_that_were_there
                delete_counts_a_repeated_key_once
                another_handle_sees_what_was_saved_and_deleted
            }

            $crate::__group! { run, $harness, guards:
                seen_nothing_saves_only_where_nothing_is
                seen_record_is_replaced_only_while_it_stands
                expired_record_counts_as_absent_to_a_guard
                of_many_who_saw_nothing_exactly_one_saves
                of_many_who_saw_one_record_exactly_one_replaces_it
                save_under_the_lease_ends_it
                save_under_the_lease_replaces_the_record_seen
                save_without_the_lease_is_refused
                save_under_a_strangers_token_leaves_the_lease
                lease_of_another_key_guards_nothing
                unguarded_save_takes_the_lease_away
                save_by_what_was_seen_takes_the_lease_away
                refused_save_by_what_was_seen_leaves_the_lease
                save_under_a_lease_is_refused_after_a_delete
                save_under_a_lease_is_refused_after_delete_and_takeover
                save_under_an_expired_lease_is_refused
                save_under_an_expired_lease_is_refused_after_takeover
                save_under_a_released_lease_is_refused
                of_many_saves_under_one_lease_exactly_one_takes_place
                read_and_replace_loses_no_update
                refused_save_leaves_the_key_usable
            }

            $crate::__group! { run, $harness, leases:
                lease_is_granted_on_an_absent_key
                lease_is_granted_on_the_record_seen
                second_who_asks_is_told_who_holds_the_lease
                another_token_of_the_same_holder_does_not_hold
                held_lease_is_held_whatever_was_seen
                same_token_is_granted_again
                lease_tells_what_stands_where_the_record_is_another
                lease_tells_that_the_record_seen_is_gone
                expired_record_counts_as_absent_to_a_lease
                of_many_who_ask_at_once_exactly_one_is_granted
                lease_ends_with_its_time
                renew_prolongs_the_lease
                renew_counts_from_now
                same_token_asking_again_prolongs_the_lease
                renew_by_a_stranger_changes_nothing
                release_by_a_stranger_changes_nothing
                abandoned_lease_leaves_the_key_to_the_next
                declined_lease_is_marked
                declined_marker_lasts_a_second
                declined_key_can_be_leased
                declined_marker_is_cleared_by_a_save
                declined_marker_is_cleared_by_a_delete
                delete_takes_the_lease_away
                leases_of_different_keys_are_apart
            }
        }
    };
}

/// One module of tests. For the expansion of [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __group {
    ($run:ident, $harness:expr, $group:ident: $($case:ident)*) => {
        mod $group {
            #[allow(unused_imports)]
            use super::*;

            $(
                #[test]
                fn $case() {
                    let name = concat!(stringify!($group), "::", stringify!($case));
                    $crate::$run(name, &$harness, $crate::$group::$case);
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    /// Each file of cases, and how it is named in the list.
    const GROUPS: &[(&str, &str)] = &[
        ("records", include_str!("records.rs")),
        ("guards", include_str!("guards.rs")),
        ("leases", include_str!("leases.rs")),
    ];

    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("suite.rs");
        for (group, file) in GROUPS {
            let start = list.find(&format!("$harness, {group}:\n")).expect(group);
            let listed = &list[start..start + list[start..].find('}').expect("a closing brace")];
            let listed: Vec<_> = listed.lines().skip(1).map(str::trim).collect();
            let cases = file.lines().filter_map(|line| {
                let (name, rest) = line.strip_prefix("pub fn ")?.split_once('(')?;
                rest.ends_with("-> Verdict {").then_some(name)
            });
            for case in cases {
                assert!(
                    listed.contains(&case),
                    "{group}::{case} is not in the list of suite!"
                );
            }
        }
    }
}
