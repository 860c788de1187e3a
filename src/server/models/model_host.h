// The models that are served, by name: loaded when first asked for, unloaded when nobody asked for a while.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/models/served_model.h"

namespace r1::server {

/// Safe to use from several threads. It is the last owner of its models: the destructor waits for their
/// requests to end, which must have been cancelled before.
class ModelHost {
 public:
  struct Options {
    ModelSettings settings{};
    std::chrono::duration<double> idle_unload{0};  // 0: models stay
    size_t loaded_at_most = 1;  // then the one unused for longest goes first, if it is idle
    std::function<void(const std::string&)> log{};
  };
  struct Description {
    std::string name;
    bool loaded = false;
    int64_t created = 0;
    int64_t context_length = 0;  // of a request; 0: the file does not say
    std::string chat_template;   // empty: it has none
    bool can_think = false;
    uint64_t file_bytes = 0;  // 0: not from a file
    std::string base;         // of an adapter: the model that it belongs to
  };

  explicit ModelHost(Options options) : options_(std::move(options)) {}
  ~ModelHost();

  /// The first one is the default. Throws Error(invalid_argument) for a name that is taken.
  void add(std::string name, std::filesystem::path path);
  /// Another name of the first model. Before anything is loaded.
  void add_alias(std::string name);
  /// An adapter of the first model; its name is a model's name too. Before anything is loaded.
  void add_adapter(AdapterLocation adapter);
  void add_loaded(std::shared_ptr<ServedModel> model);

  /// The model, loaded; "" is the default one. Waits while it is being loaded. Throws ApiError 404 for an
  /// unknown name, 503 when another model is busy and there is room for one only; Error when loading fails.
  std::shared_ptr<ServedModel> acquire(const std::string& name) { return find(name).model; }
  struct Choice {
    std::shared_ptr<ServedModel> model;
    const Adapter* adapter = nullptr;  // lives as long as the model
    std::string name;                  // the model's, or the adapter's
  };
  /// The same for a request, with the adapter where the name is one's: why loading failed is logged, and not told,
  /// since it names files of the server (ApiError 500).
  Choice choose(const std::string& name);

  std::vector<Description> list() const;
  /// Those in memory.
  std::vector<std::shared_ptr<ServedModel>> loaded() const;
  /// Unloads what has been idle for too long. Call now and then.
  void unload_idle();

 private:
  struct Entry {
    std::string name;
    std::filesystem::path path;
    std::vector<std::string> aliases;
    std::vector<AdapterLocation> adapters;
    std::mutex loading;                  // held by who loads it
    bool is_loading = false;             // guarded by mutex_: counts as loaded
    std::shared_ptr<ServedModel> model;  // guarded by mutex_
    Description file;                    // what is known without loading it
  };
  void check_name(const std::string& name) const;
  Choice find(const std::string& name);
  std::shared_ptr<ServedModel> load(Entry& entry);
  void make_room();

  Options options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace r1::server
