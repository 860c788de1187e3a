// r1 train watch: the page of a run that another process trains.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/training_monitor.h"

namespace r1::cli {
namespace {

struct WatchOptions {
  std::string folder;
  int64_t port = 8090;
};

void watch(const WatchOptions& options) {
  const TrainingPageServer page(options.folder, options.port);
  fmt::print("the run's page: {} (Ctrl-C ends it, not the run)\n", page.address());
  std::fflush(stdout);
  const InterruptGuard guard;
  while (!InterruptGuard::interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

}  // namespace

void add_train_watch_command(Command train) {
  auto options = std::make_shared<WatchOptions>();
  Command command = train.add_subcommand("watch", "Serve the page of a run that another process trains");
  command->add_option("folder", options->folder, "the run's output directory")
      ->required()
      ->check(existing_directory());
  command->add_option("--port", options->port, "port on this machine; 0: any free one")
      ->check(in_range(0, 65535));
  command->callback([options] { watch(*options); });
}

}  // namespace r1::cli
