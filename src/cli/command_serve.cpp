// r1 serve: the API (and the chat site) over HTTP.
#include <fmt/format.h>
#include <signal.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/memory_reserve.h"
#include "base/memory_use.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/shipped_model.h"
#include "cli/site_location.h"
#include "cli/terminal_text.h"
#include "cli/text_file.h"
#include "server/access/key_store.h"
#include "server/application.h"
#include "server/http/http_server.h"
#include "server/models/model_host.h"
#include "server/site/evaluation_pages.h"
#include "server/site/site_service.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxMinutes = 1e6;  // two years: far from where a clock's count ends

struct ServeOptions {
  std::vector<std::string> models;
  std::vector<std::string> names;
  std::vector<std::string> adapters;  // "NAME=PATH"
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string api_key, api_key_file;
  std::vector<std::string> allowed_hosts, origins;
  std::string certificate, private_key;
  std::string site_folder, searxng, evaluations;
  bool no_site = false;
  bool require_keys = false;
  std::string keys_file;
  int64_t context_length = 0;
  double kv_gib = 0;
  int64_t sequences = 32;
  int64_t batch_tokens = 512;
  int32_t lookup = 5;
  double expert_cache_gib = 0;
  int loaded_models = 1;
  double idle_minutes = 0;
  double drain_seconds = 30;
  bool lazy = false;
  RuntimeOptions runtime;
};

void log(const std::string& text) {
  fmt::print(stderr, "r1: {}\n", terminal_text(text));
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

/// "…/R1-Distill-Qwen-1.5B-Q4_K_M.gguf" is served as "R1-Distill-Qwen-1.5B-Q4_K_M", a hub name as itself.
std::string name_of(const std::string& model) {
  if (!fs::exists(model)) return model;
  fs::path path = fs::canonical(model);
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

/// Of "NAME=PATH".
server::AdapterLocation adapter_location(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw_error(ErrorKind::invalid_argument, "--lora: expected NAME=PATH, found '{}'", text);
  server::AdapterLocation location{text.substr(0, equals), text.substr(equals + 1)};
  if (!fs::is_regular_file(location.path) && !fs::is_regular_file(location.path / "adapter_config.json"))
    throw_error(ErrorKind::invalid_argument, "--lora {}: {} is no GGUF file and has no adapter_config.json",
                location.name, location.path.string());
  return location;
}

server::ModelSettings model_settings(const ServeOptions& options) {
  server::ModelSettings settings;
  settings.threads = options.runtime.threads;
  settings.kernels = &select_kernels(options.runtime);
  settings.engine.context_length = options.context_length;
  settings.engine.kv_bytes = static_cast<int64_t>(options.kv_gib * (1 << 30));
  settings.engine.key_dtype = cache_dtype(options.runtime.cache_type_k);
  settings.engine.value_dtype = cache_dtype(options.runtime.cache_type_v);
  settings.engine.sequences = options.sequences;
  settings.engine.batch_tokens = options.batch_tokens;
  // Taken as used; at most what all requests together can fill.
  if (settings.engine.kv_bytes == 0) settings.engine.kv_bytes = static_cast<int64_t>(available_memory() / 4);
  settings.load =
      load_options(static_cast<size_t>(options.expert_cache_gib * (1U << 30U)), options.runtime.overrides);
  settings.lookup = options.lookup;
  return settings;
}

/// The one key beside those of `r1 keys`: of the file, the environment or the command line.
std::string api_key_of(const ServeOptions& options) {
  if (!options.api_key.empty() && !options.api_key_file.empty())
    throw_error(ErrorKind::invalid_argument, "expected one of --api-key and --api-key-file, found both");
  std::string key = options.api_key;
  if (!options.api_key.empty()) {
    log("--api-key: everybody on this machine can see it among the processes; --api-key-file or R1_API_KEY "
        "hides it");
  } else if (!options.api_key_file.empty()) {
    key = read_text_file(options.api_key_file);
  } else if (const char* given = std::getenv("R1_API_KEY")) {
    key = given;
  }
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) key.pop_back();
  if (key.empty() && !options.api_key_file.empty())
    throw_error(ErrorKind::invalid_argument, "{}: expected a key, found an empty file", options.api_key_file);
  const bool visible = std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!visible)
    throw_error(ErrorKind::invalid_argument, "the API key: expected visible ASCII characters in one line");
  return key;
}

/// Waits for SIGTERM or SIGINT, which are blocked in all threads; calls `tidy` every second.
template <class Tidy>
void wait_for_signal(const sigset_t& signals, Tidy tidy) {
  const timespec second{1, 0};
  while (sigtimedwait(&signals, nullptr, &second) < 0) tidy();
}

/// glibc gives many threads a heap each, where what requests left free stays in pieces: after 30,000 requests
/// 13 MiB of 31; with two heaps 2 of 21 (docs/performance.md). To be called before threads begin.
void keep_heaps_few() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 2);
#endif
}

/// Keys of `r1 keys` are asked for wherever other machines could come in, and where somebody wants it.
std::unique_ptr<server::KeyStore> open_keys(const ServeOptions& options, bool loopback, bool has_key) {
  if (loopback && !options.require_keys) return nullptr;
  auto keys = std::make_unique<server::KeyStore>(options.keys_file.empty() ? data_folder() / "keys.db"
                                                                           : fs::path(options.keys_file));
  const auto in_use = [](const server::KeyRecord& key) { return !key.revoked; };
  if (!has_key && std::ranges::none_of(keys->list(), in_use))
    throw_error(ErrorKind::invalid_argument,
                "--host {}: a server with keys, and there are none: make one with `r1 keys create NAME`, or "
                "give one with --api-key-file",
                options.host);
  return keys;
}

server::SiteOptions site_options(const ServeOptions& options) {
  const fs::path folder = data_folder(options.site_folder);
  server::SiteOptions site;
  site.conversations = folder / "conversations.db";
  site.index = folder / "index.db";
  site.sessions = folder / "sessions.db";
  site.extract_child = extract_child_command();
  site.searxng = options.searxng;
  site.secure_cookies = !options.certificate.empty();
  site.log = log;
  return site;
}

constexpr std::chrono::seconds kHardEnd{5};  // beyond the drain time

/// Whatever still runs at that time (a search, a file that is read, a pass) cannot keep the program: what was
/// acknowledged is on the disk.
void end_hard_after(std::chrono::duration<double> time) {
  std::thread([time] {
    std::this_thread::sleep_for(time);
    log("some work did not end in time: leaving it");
    std::_Exit(1);
  }).detach();
}

/// The end: running answers get their time, or until the next signal.
void drain(const sigset_t& signals, std::chrono::duration<double> time, server::Application& application,
           server::HttpServer& http) {
  using Clock = std::chrono::steady_clock;
  log(fmt::format("stopping: {} requests may go on for {} s (again: at once)", http.active_requests(),
                  time.count()));
  end_hard_after(time + kHardEnd);
  application.drain();
  http.drain();
  const auto end = Clock::now() + time;
  const timespec moment{0, 50'000'000};
  while (http.active_requests() > 0 && Clock::now() < end) {
    if (sigtimedwait(&signals, nullptr, &moment) >= 0) break;
  }
  end_hard_after(kHardEnd);
  application.cancel_all();
  const auto last = Clock::now() + std::chrono::seconds(3);
  while (http.active_requests() > 0 && Clock::now() < last)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  http.stop();
}

constexpr size_t kReserveBytes = size_t{32} << 20;  // address space, not used unless memory runs out

void serve(const ServeOptions& options) {
  keep_heaps_few();
  const MemoryReserve reserve(kReserveBytes);
  const std::string address = options.host == "localhost" ? "127.0.0.1" : options.host;
  const bool loopback = is_loopback(address);
  const std::string api_key = api_key_of(options);
  const std::unique_ptr<server::KeyStore> keys = open_keys(options, loopback, !api_key.empty());
  std::vector<std::string> named = options.models;
  if (named.empty()) {
    named.push_back(locate_shipped_model("r1 serve MODEL").string());
    log(std::string(kShippedModelRemark));
  }
  std::vector<fs::path> paths;  // before the signals are blocked: a download can be stopped
  paths.reserve(named.size());
  for (const std::string& model : named) paths.push_back(locate_or_pull_model(model));
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // inherited by every thread that starts from here
  signal(SIGPIPE, SIG_IGN);

  if (named.size() > 1 && options.names.size() > named.size())
    throw_error(ErrorKind::invalid_argument,
                "--served-model-name: expected at most {} names for {} models, found {}", named.size(),
                named.size(), options.names.size());
  server::ModelHost models({model_settings(options), std::chrono::duration<double>(options.idle_minutes * 60),
                            static_cast<size_t>(options.loaded_models), log});
  for (size_t index = 0; index < named.size(); ++index) {
    const std::string& model = named[index];
    models.add(index < options.names.size() ? options.names[index] : name_of(model), paths[index]);
  }
  for (size_t index = named.size(); index < options.names.size(); ++index)
    models.add_alias(options.names[index]);
  for (const std::string& adapter : options.adapters) models.add_adapter(adapter_location(adapter));
  server::ApplicationOptions application_options;
  application_options.loopback = loopback;
  application_options.allowed_hosts = options.allowed_hosts;
  application_options.allowed_origins = options.origins;
  application_options.api_key = api_key;
  application_options.keys = keys.get();
  application_options.version = R1_VERSION;
  server::Application application(models, application_options);
  if (!options.no_site) application.open_site(site_options(options));
  if (!options.evaluations.empty())
    server::add_evaluation_pages(application.router(), application.context().authenticator,
                                 options.evaluations);
  if (!options.lazy) {
    const auto model = models.acquire("");
    const EngineStatistics statistics = model->statistics();
    log(fmt::format("{}: context of {} tokens, room for {} tokens of all requests", model->name(),
                    model->context_length(), statistics.blocks_total * KvCache::kBlockTokens));
  }
  server::HttpServerOptions http_options;
  http_options.address = address;
  http_options.port = static_cast<uint16_t>(options.port);
  http_options.certificate_file = options.certificate;
  http_options.private_key_file = options.private_key;
  http_options.workers = 8;  // some wait: for a document that is read, a search, a model
  if (!options.no_site) http_options.limits.upload_paths = {"/api/site/files", "/api/site/import"};
  server::HttpServer http(http_options, application.hooks());
  // Scripts and tests read this line.
  fmt::print("listening on {}://{}:{}\n", options.certificate.empty() ? "http" : "https",
             address.find(':') != std::string::npos ? "[" + address + "]" : address, http.port());
  std::fflush(stdout);

  wait_for_signal(signals, [&] { application.tidy(); });
  drain(signals, std::chrono::duration<double>(options.drain_seconds), application, http);
}

void refuse_option(Command command, const std::string& name, const std::string& reason) {
  command
      .add_option_function<std::string>(
          name, [name, reason](const std::string&) { fail_option(name, reason); }, "refused: " + reason)
      ->group("");
}

}  // namespace

void add_serve_command(Command app) {
  auto options = std::make_shared<ServeOptions>();
  Command command = app.add_subcommand("serve", "Serve models over HTTP: OpenAI's and Anthropic's APIs");
  command->add_option(
      "model,-m,--model", options->models,
      "GGUF files, hub directories or hub names (pulled when absent); the first one is the default; none: "
      "the small one that ships with r1");
  command->add_option("--served-model-name,-a,--alias", options->names,
                      "names to serve them under, in order; of one model: all its names");
  command->add_option("--lora,--lora-modules", options->adapters,
                      "NAME=PATH: a LoRA adapter of the first model (a PEFT directory, or a GGUF file), "
                      "asked for as the model NAME");
  command->add_flag_function(
      "--enable-lora", [](int64_t) {}, "accepted: adapters are given with --lora");
  command->add_option("--host", options->host, "address to listen on; other than loopback only with a key");
  command->add_option("--port", options->port, "port; 0: any free one")->check(in_range(0, 65535));
  command->add_option("--api-key-file", options->api_key_file,
                      "file with a key that requests must present (or R1_API_KEY in the environment)");
  command->add_option("--api-key", options->api_key,
                      "the key itself, which other users of this machine can see");
  command->add_flag("--require-keys", options->require_keys,
                    "ask for keys of `r1 keys` on loopback too (elsewhere they always are)");
  command->add_option("--keys-file", options->keys_file, "the keys; if not given: those of `r1 keys`");
  command->add_option("--allowed-host", options->allowed_hosts,
                      "Host names besides localhost that are answered");
  command->add_option("--cors-origin", options->origins, "origins whose pages may call; \"*\": any");
  command->add_option("--ssl-certfile,--ssl-cert-file", options->certificate, "TLS: certificate chain, PEM");
  command->add_option("--ssl-keyfile,--ssl-key-file", options->private_key, "TLS: private key, PEM");
  command->add_flag("--no-site", options->no_site, "only the API: no conversations are kept");
  command->add_option("--site-folder", options->site_folder,
                      "where the chat site keeps conversations and index; if not given: as `r1 index`");
  command
      ->add_option("--evaluations", options->evaluations,
                   "folder whose reports of `r1 eval` are shown at /evaluations")
      ->check(existing_directory());
  command->add_option("--searxng", options->searxng,
                      "address of a SearXNG service for the chat site's search");
  command
      ->add_option("-c,--ctx-size,--max-model-len", options->context_length,
                   "tokens a request may have; 0: the model's, or what the cache holds")
      ->check(not_negative());
  command
      ->add_option("--kv-gib", options->kv_gib,
                   "GiB for keys and values; 0: a quarter of free memory at most")
      ->check(gibibytes());
  command->add_option("--max-num-seqs,--parallel", options->sequences, "requests that run at once")
      ->check(in_range(1, 4096));
  command
      ->add_option("--max-num-batched-tokens,--batch-size", options->batch_tokens, "tokens of a forward pass")
      ->check(in_range(2, 65536));
  command->add_option("--lookup", options->lookup, "tokens drafted from earlier text a step (exact); 0: off")
      ->check(in_range(0, 64));
  command->add_option("--expert-cache", options->expert_cache_gib, "GiB for the most used experts")
      ->check(gibibytes());
  command->add_option("--loaded-models", options->loaded_models, "models in memory at once")
      ->check(in_range(1, 64));
  command
      ->add_option("--unload-after", options->idle_minutes,
                   "minutes until an idle model is unloaded; 0: never")
      ->check(in_range(0.0, kMaxMinutes));
  command->add_option("--drain-seconds", options->drain_seconds, "time that running answers get on SIGTERM")
      ->check(in_range(0.0, kMaxMinutes * 60));
  command->add_flag("--lazy", options->lazy, "load the first model when it is first asked for");
  command->add_flag_function(
      "--enforce-eager", [](int64_t) {}, "accepted: there are no compiled graphs here");
  command
      ->add_option_function<int>(
          "--tensor-parallel-size,--tp",
          [](int size) {
            if (size != 1) fail_option("--tensor-parallel-size", "one machine, all its cores: only 1");
          },
          "accepted as 1")
      ->group("");
  refuse_option(command, "--gpu-memory-utilization", "this build runs on the CPU; --kv-gib sets the cache");
  refuse_option(command, "--dtype", "weights stay as they lie in the file; `r1 quantize` converts them");
  refuse_option(command, "--quantization",
                "weights stay as they lie in the file; `r1 quantize` converts them");
  refuse_option(command, "--pipeline-parallel-size", "one machine");
  add_runtime_options(command, options->runtime);
  command->callback([options] { serve(*options); });
}

}  // namespace r1::cli
