// r1 bench serve: load on a server, this program's or another one that speaks OpenAI's API.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/load_generator.h"

namespace r1::cli {

void add_bench_serve_command(Command bench) {
  auto options = std::make_shared<LoadOptions>();
  auto as_json = std::make_shared<bool>(false);
  Command command =
      bench.add_subcommand("serve", "Load on a server with OpenAI's API: latencies and throughput");
  command->add_option("url", options->url, "http://HOST:PORT")->required();
  command->add_option("--model", options->model, "model to ask; the server's first if not given");
  command->add_option("--api-key", options->api_key, "key to present");
  command->add_option("-N,--requests", options->requests, "requests in all")->check(in_range(1, 1'000'000));
  command->add_option("-c,--concurrency", options->concurrency, "requests at once at most")
      ->check(in_range(1, 2048));
  command->add_option("--rate", options->rate, "requests a second, Poisson arrivals; 0: closed loop")
      ->check(not_negative());
  command->add_option("-p,--prompt-words", options->prompt_words, "words of each prompt (about a token each)")
      ->check(in_range(1, 1'000'000));
  command->add_option("--shared-words", options->shared_words, "of them: the same for all requests")
      ->check(not_negative());
  command->add_option("-n,--output-tokens", options->output_tokens, "tokens of each answer")
      ->check(in_range(1, 1'000'000));
  command->add_option("--disconnects", options->disconnects, "share of clients that go away in the middle")
      ->check(in_range(0.0, 1.0));
  command->add_option("--ttft-goal", options->ttft_goal, "goodput: seconds to the first token");
  command->add_option("--tpot-goal", options->tpot_goal, "goodput: seconds for each further token");
  command->add_option("--seed", options->seed, "of prompts and arrivals");
  command->add_flag("--json", *as_json, "the report as JSON");
  command->callback([options, as_json] {
    const nlohmann::json report = run_load(*options);
    fmt::print("{}", *as_json ? report.dump(2) + "\n" : describe_load(report));
  });
}

}  // namespace r1::cli
