// r1 keys: who may use the server.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/site_location.h"
#include "server/access/key_store.h"

namespace r1::cli {
namespace {

struct KeysOptions {
  std::string file;  // "": the server's
  std::string name;
  server::KeyLimits limits;
};

server::KeyStore open_store(const KeysOptions& options) {
  return server::KeyStore(options.file.empty() ? data_folder() / "keys.db"
                                               : std::filesystem::path(options.file));
}

std::string date_of(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  localtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

void create(const KeysOptions& options) {
  server::KeyStore store = open_store(options);
  // The key alone on standard output, for scripts.
  const std::string key = store.create(options.name, options.limits);
  fmt::print(stderr, "r1: the key '{}'; it is shown this once:\n", options.name);
  std::fflush(stderr);
  fmt::print("{}\n", key);
}

void list(const KeysOptions& options) {
  const auto keys = open_store(options).list();
  if (keys.empty()) fmt::print("there are no keys; `r1 keys create NAME` makes one\n");
  const auto limit = [](int64_t value) { return value > 0 ? std::to_string(value) : std::string("-"); };
  if (!keys.empty())
    fmt::print("{:<20} {:<8} {:<10} {:<10} {:>8} {:>10} {:>9} {:>12} {:>12}\n", "name", "key", "made", "used",
               "at once", "tokens/min", "requests", "prompt", "generated");
  for (const server::KeyRecord& key : keys) {
    fmt::print("{:<20} …{:<7} {:<10} {:<10} {:>8} {:>10} {:>9} {:>12} {:>12}{}\n", key.name, key.hint,
               date_of(key.created), key.last_used ? date_of(*key.last_used) : "never",
               limit(key.limits.concurrency), limit(key.limits.tokens_a_minute), key.usage.requests,
               key.usage.prompt_tokens, key.usage.generated_tokens,
               key.revoked ? "  revoked " + date_of(*key.revoked) : "");
  }
}

void revoke(const KeysOptions& options) {
  open_store(options).revoke(options.name);
  fmt::print("'{}' is not accepted any more\n", options.name);
}

}  // namespace

void add_keys_command(Command app) {
  auto options = std::make_shared<KeysOptions>();
  Command keys = app.add_subcommand("keys", "API keys of the server: who may use it, and how much");
  keys->require_subcommand(1);
  const auto sub = [&](const char* name, const char* help, void (*run)(const KeysOptions&)) {
    Command command = keys->add_subcommand(name, help);
    command->add_option("--file", options->file, "the keys; the server's if not given");
    command->callback([options, run] { run(*options); });
    return command;
  };
  Command creating = sub("create", "Make a key; it is shown once and stored as a hash", create);
  creating->add_option("name", options->name, "whose key this is")->required();
  creating->add_option("--concurrency", options->limits.concurrency, "requests at a time; 0: no limit")
      ->check(not_negative());
  creating
      ->add_option("--tokens-per-minute", options->limits.tokens_a_minute,
                   "tokens of prompts and answers a minute; 0: no limit")
      ->check(not_negative());
  creating
      ->add_option("--priority", options->limits.priority,
                   "highest priority that its requests may ask for; they go before those of lower ones")
      ->check(in_range(0, 1'000'000));
  sub("list", "The keys, their limits and what they used", list);
  sub("revoke", "Accept a key no longer, from now on", revoke)
      ->add_option("name", options->name, "the key's name")
      ->required();
}

}  // namespace r1::cli
