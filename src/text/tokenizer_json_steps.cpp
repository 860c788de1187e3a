#include "text/tokenizer_json_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace r1::tokenizer_json {
namespace {

constexpr int max_nesting = 16;
constexpr std::string_view space_mark = "\xe2\x96\x81";  // U+2581

void check_nesting(const Node& node, int depth) {
  if (depth > max_nesting) {
    throw_error(ErrorKind::bad_file, "{}: nested more than {} deep", node.place(), max_nesting);
  }
}

/// {"type": "Replace", "pattern": {"String": from}, "content": to}
void check_replace(const Node& node, std::string_view from, std::string_view to) {
  const auto text = node.at("pattern").find("String");
  if (!text || text->text() != from || node.at("content").text() != to) {
    throw_error(ErrorKind::unsupported, "{}: this Replace is not supported, expected \"{}\" to become \"{}\"",
                node.place(), from, to);
  }
}

void read_normalizer(const Node& node, TextSteps& steps, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("normalizers").list()) {
      read_normalizer(part, steps, depth + 1);
    }
  } else if (type == "NFC") {
    steps.nfc = true;
  } else if (type == "Prepend" && node.at("prepend").text() == space_mark) {
    steps.prefix = SpacePrefix::always;
  } else if (type == "Replace") {
    check_replace(node, " ", space_mark);
    steps.marks_spaces = true;
  } else {
    node.refuse("NFC, Prepend of U+2581, Replace of a space by U+2581, or Sequence");
  }
}

SplitStep read_split(const Node& node) {
  SplitStep step;
  const Node pattern = node.at("pattern");
  if (const auto regex = pattern.find("Regex")) {
    step.pattern = std::string(regex->text());
  } else {
    step.pattern = escape_regex(pattern.at("String").text());
  }
  const Node behaviour = node.at("behavior");
  constexpr std::pair<std::string_view, SplitBehaviour> behaviours[] = {
      {"Removed", SplitBehaviour::removed},
      {"Isolated", SplitBehaviour::isolated},
      {"MergedWithPrevious", SplitBehaviour::merged_with_previous},
      {"MergedWithNext", SplitBehaviour::merged_with_next},
      {"Contiguous", SplitBehaviour::contiguous}};
  const auto* found = std::find_if(std::begin(behaviours), std::end(behaviours),
                                   [&](const auto& entry) { return entry.first == behaviour.text(); });
  if (found == std::end(behaviours)) {
    throw_error(ErrorKind::unsupported,
                "{}: \"{}\" is not known, expected Removed, Isolated, MergedWithPrevious, MergedWithNext or "
                "Contiguous",
                behaviour.place(), behaviour.text());
  }
  step.behaviour = found->second;
  step.invert = node.flag("invert", false);
  return step;
}

/// Metaspace that splits nothing: the spaces of SentencePiece.
void read_metaspace(const Node& node, TextSteps& steps) {
  if (const auto mark = node.find("replacement"); mark && mark->text() != space_mark) {
    throw_error(ErrorKind::unsupported, "{}: \"{}\" is not supported, expected U+2581", mark->place(),
                mark->text());
  }
  if (node.flag("split", true)) {
    throw_error(ErrorKind::unsupported, "{}.split: true is not supported for \"Metaspace\", expected false",
                node.place());
  }
  steps.marks_spaces = true;
  const auto scheme = node.find("prepend_scheme");
  const std::string_view name = scheme                                ? scheme->text()
                                : node.flag("add_prefix_space", true) ? "always"
                                                                      : "never";
  if (name != "never" && name != "first" && name != "always") {
    throw_error(ErrorKind::unsupported,
                "{}.prepend_scheme: \"{}\" is not known, expected never, first or always", node.place(),
                name);
  }
  // Unlike Prepend, no second mark where the text begins with a space.
  steps.prefix = name == "first"    ? SpacePrefix::first_unless_space
                 : name == "always" ? SpacePrefix::always_unless_space
                                    : SpacePrefix::never;
}

void read_pre_tokenizer(const Node& node, TextSteps& steps, int depth = 0) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("pretokenizers").list()) {
      read_pre_tokenizer(part, steps, depth + 1);
    }
  } else if (type == "Split") {
    steps.pre_tokenizer.emplace_back(read_split(node));
  } else if (type == "ByteLevel") {
    steps.pre_tokenizer.emplace_back(
        ByteLevelStep{node.flag("add_prefix_space", true), node.flag("use_regex", true)});
  } else if (type == "Digits") {
    steps.pre_tokenizer.emplace_back(DigitsStep{node.flag("individual_digits", false)});
  } else if (type == "Metaspace") {
    read_metaspace(node, steps);
  } else {
    node.refuse("Sequence, Split, ByteLevel, Digits or Metaspace");
  }
}

void check_decoder_step(const Node& node, bool marks_spaces, int depth) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("decoders").list()) {
      check_decoder_step(part, marks_spaces, depth + 1);
    }
  } else if (!marks_spaces) {
    if (type != "ByteLevel") {
      node.refuse("ByteLevel or Sequence");
    }
  } else if (type == "Replace") {
    check_replace(node, space_mark, " ");
  } else if (type != "ByteFallback" && type != "Fuse" && type != "Strip" && type != "Metaspace") {
    node.refuse("Replace, ByteFallback, Fuse, Strip, Metaspace or Sequence");
  }
}

void read_post_processor(const Node& node, Surroundings& around, int depth) {
  check_nesting(node, depth);
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const Node& part : node.at("processors").list()) {
      read_post_processor(part, around, depth + 1);
    }
  } else if (type == "TemplateProcessing") {
    bool seen_text = false;
    for (const Node& item : node.at("single").list()) {
      if (item.find("Sequence")) {
        seen_text = true;
        continue;
      }
      auto& side = seen_text ? around.after : around.before;
      if (side) {
        throw_error(ErrorKind::unsupported, "{}: two special tokens on one side, expected one", item.place());
      }
      side = std::string(item.at("SpecialToken").at("id").text());
    }
  } else if (type != "ByteLevel") {
    node.refuse("ByteLevel, TemplateProcessing or Sequence");
  }
}

}  // namespace

TextSteps read_text_steps(const Node& root) {
  TextSteps steps;
  if (const auto normalizer = root.find("normalizer")) {
    read_normalizer(*normalizer, steps);
  }
  if (const auto pre_tokenizer = root.find("pre_tokenizer")) {
    read_pre_tokenizer(*pre_tokenizer, steps);
  }
  return steps;
}

void check_decoder(const Node& root, bool marks_spaces) {
  if (const auto decoder = root.find("decoder")) {
    check_decoder_step(*decoder, marks_spaces, 0);
  }
}

Surroundings read_post_processor(const Node& root) {
  Surroundings around;
  if (const auto post_processor = root.find("post_processor")) {
    read_post_processor(*post_processor, around, 0);
  }
  return around;
}

}  // namespace r1::tokenizer_json
