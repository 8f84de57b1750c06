"""The rules of containers.md section 4."""

from __future__ import annotations

from rules_model import Rule, everywhere, rule

NO_QUOTAS = everywhere("Quotas of an account are not enforced: as many run at once as the request and this machine allow.")
NO_STATUS_BETWEEN = everywhere("A job is described when it has ended: `InProgress` and `Stopping` are not told.")

_LIMIT = "requests::test_a_tuning_request_beyond_a_limit_is_refused_with_its_place"
_AT_LIMIT = "requests::test_a_tuning_request_at_its_limits_is_taken"
_NAMED = "tuning::test_training_jobs_are_named_after_the_tuning_job_and_counted"
_AS_TEXT = "tuning::test_a_training_job_gets_static_and_drawn_values_as_text"
_CATEGORY = "tuning::test_the_toolkit_reads_a_category_as_the_plain_text"
_OBJECTIVE = "tuning::test_the_objective_is_the_last_value_and_the_least_comes_first"
_VAIN = "tuning::test_a_training_job_whose_objective_is_not_found_is_completed_and_the_tuning_job_fails"
_UNDERSTOOD = "jobs.tuning::test_what_the_sdk_sends_is_understood"
_GRID = "jobs.tuning::test_a_grid_has_categories_alone_and_as_many_training_jobs_as_combinations"
_EPOCHS = "jobs.tuning::test_hyperband_takes_its_epochs_from_the_request_or_the_static_hyperparameters"
_NO_STOPPING = "jobs.tuning::test_hyperband_needs_epochs_and_no_early_stopping"
_RANGE = "jobs.tuning::test_a_range_that_cannot_be_is_refused"
_WHOLE = "jobs.tuning::test_a_range_of_whole_numbers_that_cannot_be_is_refused"
_REQUEST = "jobs.tuning::test_a_training_job_has_the_static_the_tuned_and_the_objectives_name"
_NAMES = "engine.tuning::test_names_are_those_of_the_service"
_EARLY = "engine.tuning::test_a_training_job_that_does_worse_than_those_before_is_stopped_early"
_HYPERBAND = "engine.tuning::test_hyperband_stops_losers_and_lets_the_best_go_on"
_WARM = "engine.tuning::test_a_warm_start_counts_the_training_jobs_of_its_parents"
_SEVERAL = "engine.tuning::test_several_definitions_share_the_training_jobs"
_BEST = "engine.tuning::test_the_best_training_job_is_told_first"
_PLACES = "ranges::test_a_place_is_a_value_in_the_measure_of_the_scaling"
_POWERS = "ranges::test_of_a_logarithmic_range_each_power_has_the_same_share"
_SEED = "strategies::test_a_repeated_seed_repeats_the_trials_and_another_does_not"
_IN_RANGE = "strategies::test_every_value_lies_in_its_range"
_NO_TWICE = "strategies::test_no_combination_comes_twice_and_when_all_were_tried_there_is_no_other"

RULES: tuple[Rule, ...] = (
    rule(
        "4.1-1",
        "B D",
        "A tuning job's name has at most 32 letters, digits and inner hyphens.",
        _LIMIT,
        _AT_LIMIT,
        _NAMES,
        _NAMED,
    ),
    rule(
        "4.1-2",
        "B D",
        "Bayesian, Random, Grid and Hyperband.",
        _LIMIT,
        _SEED,
        "strategies::test_a_grid_covers_its_product",
        _HYPERBAND,
    ),
    rule("4.1-3", "B D", "The least and the most epochs of Hyperband.", _LIMIT, _EPOCHS, _NO_STOPPING),
    rule(
        "4.1-4",
        "B D",
        "An objective is a metric that is maximized or minimized.",
        _LIMIT,
        _OBJECTIVE,
        "jobs.tuning::test_the_objective_must_be_a_metric_that_lines_can_give",
        "moves::test_the_best_comes_first_and_what_failed_not_at_all",
    ),
    rule(
        "4.1-5",
        "B D",
        "So many training jobs at once and in all, within a time; a grid knows its size.",
        _LIMIT,
        _AT_LIMIT,
        _GRID,
        "jobs.tuning::test_other_strategies_need_a_number_of_training_jobs",
        "engine.tuning::test_no_more_run_at_once_than_the_request_allows",
        "moves::test_time_that_is_up_ends_the_tuning_job",
        differs=NO_QUOTAS,
    ),
    rule(
        "4.1-6",
        "B D",
        "At most 30 ranges of a kind, 30 values of a category and 100 hints; bounds are text.",
        _LIMIT,
        _AT_LIMIT,
        _UNDERSTOOD,
    ),
    rule("4.1-7", "B D", "Early stopping is Off or Auto, and Off with Hyperband.", _LIMIT, _NO_STOPPING, _EARLY),
    rule(
        "4.1-8",
        "B D",
        "A target, so many without an improvement, or convergence ends the tuning job.",
        _LIMIT,
        _AT_LIMIT,
        "engine.tuning::test_a_reached_target_ends_the_tuning_job",
        "moves::test_trials_that_improve_nothing_end_the_tuning_job",
        "moves::test_convergence_is_ten_trials_without_an_improvement",
    ),
    rule(
        "4.1-9",
        "B D",
        "A seed repeats what is tried.",
        _LIMIT,
        "engine.tuning::test_a_repeated_seed_repeats_the_trials",
        _SEED,
    ),
    rule(
        "4.1-10",
        "B D",
        "One definition, or up to 10 with names, ranges and objectives of their own.",
        _LIMIT,
        _AT_LIMIT,
        "jobs.tuning::test_definitions_are_one_or_several",
        _SEVERAL,
    ),
    rule(
        "4.1-11",
        "B D",
        "Up to 5 parents, whose training jobs count where data and algorithm are the same.",
        _LIMIT,
        _WARM,
        "engine.tuning::test_a_parent_may_be_a_step_of_the_same_pipeline",
    ),
    rule(
        "4.1-12",
        "B D",
        "Autotune chooses ranges of hints and how many training jobs there are.",
        _LIMIT,
        "jobs.autotune::test_a_whole_number_gets_a_range_from_half_to_twice",
        "jobs.autotune::test_autotune_says_how_many_training_jobs_there_are_where_the_request_does_not",
    ),
    rule(
        "4.1-13",
        "B V2",
        "A definition is a training request; of several instance types the first is taken.",
        _LIMIT,
        _REQUEST,
        "jobs.tuning::test_of_several_instance_types_the_first_is_taken",
        "jobs.tuning::test_what_is_wrong_with_the_training_jobs_is_said_at_its_place",
    ),
    rule(
        "4.2-1",
        "D",
        "Auto: logarithmic over two orders of magnitude, else linear.",
        "jobs.tuning::test_an_automatic_scale_is_logarithmic_over_two_orders_of_magnitude",
    ),
    rule("4.2-2", "D", "Linear.", _PLACES),
    rule("4.2-3", "D", "Logarithmic, of values above 0.", _PLACES, _POWERS, _RANGE),
    rule("4.2-4", "D", "ReverseLogarithmic, of continuous values from 0 to less than 1.", _LIMIT, _PLACES, _RANGE, _WHOLE),
    rule("4.2-5", "V2", "A category keeps its text, quotes and all.", _CATEGORY, _PLACES),
    rule(
        "4.3-1",
        "D",
        "Random draws honour the scaling, and none comes twice.",
        _IN_RANGE,
        _NO_TWICE,
        "strategies::test_the_random_strategy_needs_no_history",
    ),
    rule(
        "4.3-2",
        "D",
        "A grid tries each combination of categories.",
        "strategies::test_a_grid_covers_its_product",
        _GRID,
        "moves::test_a_grid_ends_when_all_of_it_was_tried",
    ),
    rule(
        "4.3-3",
        "D",
        "A model learns from what was tried.",
        "strategies::test_the_model_is_better_than_chance_on_a_smooth_function",
        _NO_TWICE,
    ),
    rule(
        "4.3-4",
        "D",
        "Hyperband lets a third go on at each rung, by epochs, and stops the others.",
        _EPOCHS,
        _HYPERBAND,
        "moves::test_hyperband_lets_a_third_of_those_that_reach_a_rung_go_on",
    ),
    rule(
        "4.4-1",
        "N V2",
        "Training jobs have the tuning job's name, their number and eight hexadecimal digits.",
        _NAMED,
        _NAMES,
    ),
    rule("4.4-2", "N V2", "Static and drawn values are text, with the objective's name.", _AS_TEXT, _REQUEST),
    rule("4.4-3", "N V2", "Each leaves its model below its name.", _NAMED, _REQUEST),
    rule("4.4-4", "N V2", "Each names its tuning job and has its tags.", _NAMES, _REQUEST),
    rule(
        "4.4-5",
        "N V2",
        "The objective is the last value; without one a job may be Completed.",
        _OBJECTIVE,
        _VAIN,
        "engine.tuning::test_a_training_job_without_the_objective_has_no_place_among_the_best",
    ),
    rule(
        "4.4-6",
        "N V2",
        "One that is worse than the median of those before is Stopped.",
        _EARLY,
        "moves::test_a_trial_worse_than_the_median_of_those_before_is_stopped_early",
    ),
    rule(
        "4.5-1",
        "B",
        "Statuses, counters, the best training jobs, and what was consumed.",
        _BEST,
        _VAIN,
        _WARM,
        _SEVERAL,
        differs=NO_STATUS_BETWEEN,
    ),
    rule(
        "4.5-2",
        "B ?",
        "Completed if one gave an objective, else Failed.",
        _VAIN,
        "engine.tuning::test_a_training_job_that_fails_fails_nothing_while_another_succeeds",
        "engine.tuning::test_a_tuning_job_whose_training_jobs_all_fail_fails_after_five",
    ),
    rule(
        "4.5-3",
        "D V2",
        "The 50 best training jobs are told, and later steps get their models.",
        "engine.tuning::test_the_fifty_best_are_told",
        "engine.tuning::test_later_steps_get_the_best_model",
        _OBJECTIVE,
    ),
)
