// A callback for nlohmann's parsers (json or ordered_json) that refuses a key which one object has twice:
// readers differ in which of the two values they believe, so what one checks another need not see.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace r1 {

/// Of one call of Json::parse(). `Refuse`: called with the key's place ("messages[1].role") and must throw.
template <class Json, class Refuse>
class UniqueKeys {
 public:
  /// `root`: what stands in front of each place; may be empty.
  explicit UniqueKeys(Refuse refuse, std::string root = "")
      : refuse_(std::move(refuse)), root_(std::move(root)) {}

  bool operator()(int, typename Json::parse_event_t event, const Json& value) {
    using Event = typename Json::parse_event_t;
    switch (event) {
      case Event::key:
        take_key(value.template get_ref<const std::string&>());
        break;
      case Event::object_start:
      case Event::array_start:
        open_.emplace_back();
        break;
      case Event::object_end:
      case Event::array_end:
        open_.pop_back();
        [[fallthrough]];
      case Event::value:
        if (!open_.empty()) ++open_.back().index;
        break;
    }
    return true;  // keep it
  }

 private:
  struct Open {
    std::set<std::string> keys;  // none: an array, or an object's beginning
    std::string key;             // the last one
    size_t index = 0;            // of the value that comes next
  };
  static constexpr size_t kShown = 100;  // bytes of a key in a message

  void take_key(const std::string& key) {
    Open& object = open_.back();
    if (!object.keys.insert(key).second) refuse_(place() + key.substr(0, kShown));
    object.key = key;
  }

  /// Of the open object, as the beginning of its keys' places.
  std::string place() const {
    std::string text = root_;
    for (size_t i = 0; i + 1 < open_.size(); ++i) {
      text += open_[i].keys.empty()
                  ? fmt::format("[{}]", open_[i].index)
                  : fmt::format("{}{}", text.empty() ? "" : ".", open_[i].key.substr(0, kShown));
    }
    return text.empty() ? "" : text + ".";
  }

  Refuse refuse_;
  std::string root_;
  std::vector<Open> open_;  // objects and arrays around the current place
};

}  // namespace r1
