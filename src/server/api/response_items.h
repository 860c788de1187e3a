// The items of recent responses, for clients that send an item's id instead of the item (`item_reference`). In memory,
// for a short time, and only of the same key.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "server/http/api_error.h"

namespace r1::server {

/// Safe to use from many threads.
class ResponseItems {
 public:
  struct Limits {
    std::chrono::steady_clock::duration keep{std::chrono::hours(1)};
    std::size_t key_bytes = 4U << 20;   // of one key
    std::size_t all_bytes = 64U << 20;  // of all keys; then nothing more is kept until old items go
  };

  ResponseItems() : ResponseItems(Limits{}) {}
  explicit ResponseItems(const Limits& limits) : limits_(limits) {}

  /// Keeps the items that have an id, but for thinking. The oldest of the same key make room.
  void add(const std::string& key_name, const Json& output);
  /// Null: there is none of that id.
  Json find(const std::string& key_name, const std::string& id) const;

 private:
  struct Item {
    std::string id, text;  // text: JSON
    std::chrono::steady_clock::time_point time;

    std::size_t bytes() const { return id.size() + text.size() + sizeof(Item); }
  };
  struct Shelf {
    std::deque<Item> items;  // oldest first
    std::size_t bytes = 0;
  };

  void drop_oldest(Shelf& shelf);

  const Limits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, Shelf> shelves_;  // by key
  std::size_t bytes_ = 0;
};

}  // namespace r1::server
