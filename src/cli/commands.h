// The commands of the program. Each lives in its own file and declares its options there.
#pragma once

#include <CLI/CLI.hpp>

namespace r1::cli {

/// Each function adds its subcommand with options, help and a callback that does the job. Callbacks throw
/// Error; main prints it. Option values live as long as the App does.
void add_run_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_bench_serve_command(CLI::App& bench);  // bench serve
void add_perplexity_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_hub_commands(CLI::App& app);  // pull, list, show, rm
void add_merge_command(CLI::App& app);
void add_grade_command(CLI::App& app);
void add_train_command(CLI::App& app);              // train pretrain, sft, …
void add_train_tokenizer_command(CLI::App& train);  // train tokenizer
void add_train_watch_command(CLI::App& train);      // train watch
void add_serve_command(CLI::App& app);
void add_keys_command(CLI::App& app);           // keys create, list, revoke
void add_extract_child_command(CLI::App& app);  // hidden
void add_index_command(CLI::App& app);          // index add, list, refresh, remove, search
void add_debug_commands(CLI::App& app);
void add_data_commands(CLI::App& app);        // data make, check, score
void add_data_score_command(CLI::App& data);  // data score
void add_data_check_command(CLI::App& data);  // data check

}  // namespace r1::cli
