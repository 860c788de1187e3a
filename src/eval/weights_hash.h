// What identifies a local model in the key of an answer.
#pragma once

#include <span>
#include <string>

#include "formats/model_file.h"

namespace r1::eval {

/// SHA-256 of a model of one file, as sha256sum prints it; of several files, and with `overrides` of its keys, SHA-256 over
/// their names and hashes. Of a hub directory the tokenizer's files count too. Reads all bytes. Throws Error(io).
std::string weights_hash(const ModelFile& model, std::span<const std::string> overrides);

}  // namespace r1::eval
