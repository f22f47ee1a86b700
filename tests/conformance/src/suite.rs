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

            $crate::__groups! { each ($harness) }
        }
    };
}

/// The list, in groups; what is made of each is up to `__group!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __groups {
    ($how:ident ($with:expr)) => {
        $crate::__group! { $how, run, ($with), records:
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
            many_keys_are_loaded_and_deleted_at_once
            operation_given_up_is_done_or_not_done
            store_says_what_it_is
        }

        $crate::__group! { $how, run, ($with), guards:
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

        $crate::__group! { $how, run, ($with), leases:
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

        $crate::__group! { $how, run, ($with), waiting:
            wait_is_ended_by_the_holders_save
            wait_is_ended_by_an_unguarded_save
            wait_is_ended_by_a_save_by_what_was_seen
            wait_is_ended_by_an_abandoned_lease
            wait_is_ended_by_a_declined_lease
            wait_is_ended_by_a_delete
            wait_is_ended_by_the_end_of_the_lease
            wait_is_ended_by_the_end_of_a_renewed_lease
            wait_for_a_lease_taken_over_ends_at_once
            wait_for_a_lease_that_does_not_stand_ends_at_once
            wait_ends_after_at_most_the_time_asked_for
            all_who_wait_are_woken
            all_waiting_threads_are_woken
            abandoned_wait_leaves_the_others
            wait_notices_its_own_key_after_others_changed
            wait_outlives_a_renewal
        }

        $crate::__group! { $how, run, ($with), generations:
            load_finds_no_generation_of_an_unknown_scope
            created_generation_stays
            generations_are_all_different
            generations_come_in_the_order_asked_for
            all_who_create_a_generation_get_the_same
            hard_invalidation_replaces_the_hard_token_alone
            soft_invalidation_replaces_the_soft_token_alone
            load_after_an_invalidation_never_finds_the_old_token
            replaced_tokens_never_come_back
            unknown_scope_can_be_invalidated
            many_scopes_are_invalidated_at_once
            scopes_that_begin_one_another_are_apart
            invalidation_leaves_records_and_leases
            simultaneous_invalidations_all_take_effect
        }

        $crate::__group! { $how, run, ($with), counters:
            increments_add_up
            counters_reach_their_bounds
            overflow_is_refused_and_leaves_the_count
            record_that_is_no_counter_is_refused
            increment_of_another_record_changes_nothing
            increment_of_an_expired_counter_changes_nothing
            increment_keeps_all_else_of_the_record
            increment_leaves_the_lease
            increment_does_not_prolong
            increment_does_not_end_a_counter_kept_for_ever
            simultaneous_increments_all_count
        }

        $crate::__group! { $how, run, ($with), expiry:
            record_ends_with_its_time
            record_is_there_until_its_time_is_over
            record_kept_for_ever_stays
            save_replaces_the_time_of_the_record_before
            record_saved_under_a_lease_has_its_own_time
            refused_save_leaves_the_time_of_what_is_there
            lease_outlives_the_record_beside_it
            record_outlives_the_lease_beside_it
            expired_record_is_not_counted_by_delete
            touch_prolongs_a_record
            touch_shortens_a_record
            touch_keeps_all_else_of_the_record
            touch_of_another_record_changes_nothing
            touch_does_not_revive_an_expired_record
            touch_leaves_the_lease
            clock_goes_forward
        }

        $crate::__group! { $how, run, ($with), scan:
            scan_of_nothing_is_empty
            scan_finds_every_key_under_the_prefix
            scan_finds_the_key_that_is_the_prefix
            scan_takes_glob_characters_literally
            scan_finds_keys_of_any_text
            scan_finds_neither_leases_nor_generations
            scan_finds_no_record_that_is_gone
            scan_misses_nothing_that_stood_all_the_while
            scan_goes_on_when_its_page_is_deleted
            scan_comes_in_pages
        }

        $crate::__group! { $how, run, ($with), clear:
            clear_deletes_and_counts_the_records_under_the_prefix
            clear_leaves_all_other_keys
            clear_takes_glob_characters_literally
            clear_leaves_leases_and_generations
            clear_leaves_foreign_data
            foreign_data_is_neither_found_nor_touched
            clear_does_not_count_what_has_expired
        }

        $crate::__group! { $how, run, ($with), pushes:
            save_is_told
            overwriting_save_is_told
            save_by_what_was_seen_is_told
            save_under_another_holders_lease_is_told
            delete_is_told
            touch_is_told
            increment_is_told
            clear_is_told
            invalidation_is_told
            own_save_under_a_lease_is_not_told
            own_changes_without_a_lease_are_told
            every_sink_is_told
            dropped_sink_is_forgotten
            what_is_told_can_be_loaded
            store_that_pushes_can_be_trusted
        }

        $crate::__group! { $how, run, ($with), concurrency:
            at_most_one_lease_stands_at_a_time
            save_under_a_lost_lease_is_never_visible
            load_sees_all_that_was_acknowledged_before
            replaced_token_is_never_read_again
            only_accepted_records_are_ever_seen
            count_of_one_record_only_grows
        }

        $crate::__group! { $how, run_on_nothing, ($with), nothing:
            nothing_that_is_saved_is_found
            nothing_can_be_changed
            generations_of_nothing_are_replaced
        }
    };
}

/// One group of cases: a module of tests, or entries of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! __group {
    (listed, $run:ident, ($list:expr), $group:ident: $($case:ident)*) => {
        $($list.push($crate::Case {
            name: concat!(stringify!($group), "::", stringify!($case)),
            run: |name, harness| $crate::$run(name, harness, $crate::$group::$case),
        });)*
    };
    (each, $run:ident, ($harness:expr), $group:ident: $($case:ident)*) => {
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
        ("waiting", include_str!("waiting.rs")),
        ("generations", include_str!("generations.rs")),
        ("counters", include_str!("counters.rs")),
        ("expiry", include_str!("expiry.rs")),
        ("scan", include_str!("scan.rs")),
        ("clear", include_str!("clear.rs")),
        ("pushes", include_str!("pushes.rs")),
        ("concurrency", include_str!("concurrency.rs")),
        ("nothing", include_str!("nothing.rs")),
    ];

    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("suite.rs");
        for (group, file) in GROUPS {
            let start = list.find(&format!("($with), {group}:\n")).expect(group);
            let listed = &list[start..start + list[start..].find('}').expect("a closing brace")];
            let listed: Vec<_> = listed.lines().skip(1).map(str::trim).collect();
            let cases = file.lines().filter_map(|line| {
                let (name, rest) = line.strip_prefix("pub fn ")?.split_once('(')?;
                rest.ends_with("-> Verdict {").then_some(name)
            });
            for case in cases {
                assert!(listed.contains(&case), "{group}::{case} is not in the list of suite!");
            }
        }
    }
}
