// r1 extract-child: the program as its own child, to read a file that nobody trusts. Not for people.
#include <unistd.h>

#include <memory>

#include "cli/commands.h"
#include "server/content/extraction.h"

namespace r1::cli {

void add_extract_child_command(Command app) {
  auto arguments = std::make_shared<std::vector<std::string>>();
  Command command =
      app.add_subcommand("extract-child", "Read a document inside a sandbox (used by the server)");
  command->group("");  // not listed
  command->add_option("format", *arguments, "docx; or html and a charset")->expected(1, 2);
  // At once: what the exit of the whole program would do is not allowed in the sandbox.
  command->callback([arguments] { _exit(site::run_extract_child(*arguments)); });
}

}  // namespace r1::cli
