#include "cli/answer_options.h"

#include <limits>

namespace r1::cli {

void add_answer_options(Command command, EvalOptions& options) {
  command
      ->add_option(
          "--endpoint", options.endpoints,
          "instead of a model here: the address of an OpenAI-compatible server; several share the questions")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--endpoint-model", options.endpoint_model,
                      "model to ask there; the server's first if not given");
  command->add_option("--api-key-file", options.api_key_file,
                      "file with the endpoints' key (or R1_API_KEY in the environment)");
  command->add_option("--limit", options.limit, "questions, from the first; -1: all")
      ->check(in_range(int64_t{-1}, std::numeric_limits<int64_t>::max()));
  command->add_option("--system-prompt", options.system_prompt, "none by the release's protocol");
  command->add_option("-s,--seed", options.sampling.seed,
                      "of the random numbers, with the question's id and the sample's number");
  command
      ->add_option("-c,--ctx-size", options.context_length,
                   "tokens of a question and its answer; 0: the model's")
      ->check(not_negative());
  command->add_option("--batch", options.batch, "answers that a model here generates at once")
      ->check(in_range(1, 4096));
  command->add_option("--concurrency", options.concurrency, "requests at once, of each endpoint")
      ->check(in_range(1, 1024));
  command->add_option("--timeout", options.timeout, "seconds until an endpoint's answer must be complete")
      ->check(in_range(1, 10'000'000));
  command->add_flag("--ui", options.ui, "a page on this machine that shows the run while it lasts");
  command->add_option("--ui-port", options.ui_port, "its port; 0: any free one")->check(in_range(0, 65535));
  add_sampling_options(command, options.sampling);
  add_runtime_options(command, options.runtime);
}

}  // namespace r1::cli
