// The commands of the program. Each lives in its own file and declares its options there.
#pragma once

#include "cli/command_line.h"

namespace r1::cli {

/// Each function adds its subcommand with options, help and a callback that does the job. Callbacks throw
/// Error; main prints it. Option values live as long as the Program does.
void add_run_command(Command app);
void add_bench_command(Command app);
void add_bench_serve_command(Command bench);  // bench serve
void add_perplexity_command(Command app);
void add_convert_command(Command app);
void add_quantize_command(Command app);
void add_hub_commands(Command app);  // pull, list, show, rm
void add_merge_command(Command app);
void add_grade_command(Command app);
void add_eval_command(Command app);               // eval TASK, and its subcommands:
void add_eval_list_command(Command eval);         // eval list
void add_eval_fetch_command(Command eval);        // eval fetch
void add_eval_grade_command(Command eval);        // eval grade
void add_eval_report_command(Command eval);       // eval report
void add_train_command(Command app);              // train pretrain, sft, …
void add_train_tokenizer_command(Command train);  // train tokenizer
void add_train_watch_command(Command train);      // train watch
void add_distill_command(Command app);
void add_pipeline_command(Command app);
void add_serve_command(Command app);
void add_keys_command(Command app);           // keys create, list, revoke
void add_extract_child_command(Command app);  // hidden
void add_index_command(Command app);          // index add, list, refresh, remove, search
void add_debug_commands(Command app);
void add_data_commands(Command app);        // data make, check, score
void add_data_score_command(Command data);  // data score
void add_data_check_command(Command data);  // data check

}  // namespace r1::cli
