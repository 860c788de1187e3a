#include "cli/arguments.h"

#include <map>

namespace r1::cli {

std::vector<std::string> normalise_arguments(int argc, const char* const* argv) {
  static const std::map<std::string, std::string> kLongNames = {
      {"-no-cnv", "--no-conversation"}, {"-cnv", "--conversation"}, {"-ngl", "--n-gpu-layers"},
      {"-ctk", "--cache-type-k"},       {"-ctv", "--cache-type-v"}, {"-sys", "--system-prompt"},
  };
  std::vector<std::string> arguments;
  bool literal = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    literal = literal || argument == "--";
    if (const auto found = kLongNames.find(argument); !literal && found != kLongNames.end())
      argument = found->second;
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

}  // namespace r1::cli
