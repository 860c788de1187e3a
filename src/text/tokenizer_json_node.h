// Checked reading of tokenizer.json: values with their places, for messages. Private to src/text.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace r1::tokenizer_json {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

/// A value of the file with its place there, for messages.
class Node {
 public:
  Node(element value, std::string place) : value_(value), place_(std::move(place)) {}

  bool is_null() const { return value_.is_null(); }
  bool is_string() const { return value_.is_string(); }
  bool is_object() const { return value_.is_object(); }
  bool is_array() const { return value_.is_array(); }
  const std::string& place() const { return place_; }

  std::string_view text() const { return get<std::string_view>("a string"); }
  bool boolean() const { return get<bool>("true or false"); }
  int64_t integer() const { return get<int64_t>("an integer"); }
  double number() const { return get<double>("a number"); }
  object members() const { return get<object>("an object"); }
  array items() const { return get<array>("a list"); }

  /// The member `key`; nothing when it is absent or null.
  std::optional<Node> find(const char* key) const {
    element value;
    if (members().at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) {
      return std::nullopt;
    }
    return Node(value, place_ + "." + key);
  }

  Node at(const char* key) const {
    const auto found = find(key);
    if (!found) {
      throw_error(ErrorKind::bad_file, "{}: expected a member \"{}\", found none", place_, key);
    }
    return *found;
  }

  bool flag(const char* key, bool absent) const {
    const auto found = find(key);
    return found ? found->boolean() : absent;
  }

  std::vector<Node> list() const {
    std::vector<Node> nodes;
    for (const element item : items()) {
      nodes.emplace_back(item, fmt::format("{}[{}]", place_, nodes.size()));
    }
    return nodes;
  }

  [[noreturn]] void refuse(std::string_view known) const {
    throw_error(ErrorKind::unsupported, "{}: \"{}\" is not supported, expected {}", place_, at("type").text(),
                known);
  }

 private:
  template <typename T>
  T get(std::string_view expected) const {
    T found;
    if (value_.get(found) != simdjson::SUCCESS) {
      throw_error(ErrorKind::bad_file, "{}: expected {}, found another type", place_, expected);
    }
    return found;
  }

  element value_;
  std::string place_;
};

class Document {
 public:
  Document(std::string_view text, const std::string& name) {
    const auto error = parser_.parse(text.data(), text.size(), true).get(root_);
    if (error != simdjson::SUCCESS) {
      throw_error(ErrorKind::bad_file, "{}: not JSON: {}", name, simdjson::error_message(error));
    }
    name_ = name;
  }

  Node root() const { return Node(root_, name_); }

 private:
  simdjson::dom::parser parser_;
  element root_;
  std::string name_;
};

}  // namespace r1::tokenizer_json
