#include "cli/training_monitor.h"

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json_text.h"
#include "cli/page_server.h"
#include "formats/output_file.h"
#include "server/site/training_page.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void replace_file(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

// Models may say half characters.
std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void drop_later_lines(const fs::path& path, int64_t step) {
  std::string kept, line;
  if (std::ifstream in(path); in && step > 0) {
    while (std::getline(in, line)) {
      const Json entry = parse_json_or_discard<Json>(line);
      if (entry.is_object() && entry.value("step", INT64_MAX) <= step) kept += line + "\n";
    }
  }
  replace_file(path, kept);
}

struct TrainingPageServer::State {
  State(const fs::path& folder, int64_t port) : page(folder, site_assets()), server(page.hooks(), port) {}
  server::TrainingPage page;
  PageServer server;
};

TrainingPageServer::TrainingPageServer(const fs::path& folder, int64_t port)
    : state_(std::make_unique<State>(folder, port)) {}

TrainingPageServer::~TrainingPageServer() = default;

std::string TrainingPageServer::address() const {
  return state_->server.address();
}

TrainingMonitor::TrainingMonitor(fs::path folder, const Json& description, int64_t resumed_step)
    : folder_(std::move(folder)), description_(std::make_unique<Json>(description)) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  (*description_)["began"] = std::chrono::duration<double>(now).count();
  drop_later_lines(folder_ / "samples.jsonl", resumed_step);
  write("running");
}

TrainingMonitor::~TrainingMonitor() {
  if (finished_) return;
  try {
    write("failed");
  } catch (const std::exception&) {
    // The error that ends the run matters more than this one.
  }
}

void TrainingMonitor::add(int64_t step, const SampleAnswer& sample) {
  const Json line = {
      {"step", step}, {"prompt", sample.prompt}, {"expected", sample.expected}, {"answer", sample.answer}};
  const fs::path path = folder_ / "samples.jsonl";
  std::ofstream out(path, std::ios::app | std::ios::binary);
  out << line_of(line) << "\n";
  out.flush();
  if (!out) throw_error(ErrorKind::io, "{}: cannot write", path.string());
}

void TrainingMonitor::finish(const std::string& state) {
  finished_ = true;
  write(state);
}

void TrainingMonitor::write(const std::string& state) {
  (*description_)["state"] = state;
  replace_file(folder_ / "run.json",
               description_->dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace r1::cli
