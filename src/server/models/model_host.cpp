#include "server/models/model_host.h"

#include <algorithm>
#include <thread>

#include "base/error.h"
#include "server/http/api_error.h"

namespace r1::server {
namespace {

/// What the file says of itself; what it does not say stays unknown until it is loaded.
void read_description(const std::filesystem::path& path, ModelHost::Description& description) {
  try {
    const auto file = ModelFile::open(path);
    description.file_bytes = file->total_bytes();
    if (const GgufFile* gguf = file->gguf()) {
      const auto architecture = gguf->find_string("general.architecture");
      if (architecture)
        description.context_length =
            gguf->find_i64(fmt::format("{}.context_length", *architecture)).value_or(0);
      description.chat_template = gguf->find_string("tokenizer.chat_template").value_or("");
    } else if (const HubDirectory* hub = file->hub()) {
      const auto length = hub->config->find("max_position_embeddings");
      if (length != hub->config->end() && length->is_number_integer())
        description.context_length = length->get<int64_t>();
      description.chat_template = hub->chat_template.value_or("");
    }
    description.can_think = description.chat_template.find("<think>") != std::string::npos ||
                            description.chat_template.find("</think>") != std::string::npos;
  } catch (const Error&) {
    // Told when it is loaded.
  }
}

}  // namespace

ModelHost::~ModelHost() {
  for (const auto& entry : entries_) {
    while (entry->model && entry->model.use_count() > 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// Under mutex_.
void ModelHost::check_name(const std::string& name) const {
  for (const auto& entry : entries_) {
    if (entry->name == name || std::ranges::find(entry->aliases, name) != entry->aliases.end() ||
        std::ranges::find(entry->adapters, name, &AdapterLocation::name) != entry->adapters.end())
      throw_error(ErrorKind::invalid_argument, "two models are called '{}'", name);
  }
}

void ModelHost::add_alias(std::string name) {
  const std::lock_guard lock(mutex_);
  check_name(name);
  if (entries_.empty()) throw_error(ErrorKind::invalid_argument, "name {}: there is no model for it", name);
  entries_.front()->aliases.push_back(std::move(name));
}

void ModelHost::add_adapter(AdapterLocation adapter) {
  const std::lock_guard lock(mutex_);
  check_name(adapter.name);
  if (entries_.empty() || entries_.front()->path.empty())
    throw_error(ErrorKind::invalid_argument, "adapter {}: there is no model for it", adapter.name);
  entries_.front()->adapters.push_back(std::move(adapter));
}

void ModelHost::add(std::string name, std::filesystem::path path) {
  const std::lock_guard lock(mutex_);
  check_name(name);
  entries_.push_back(std::make_unique<Entry>());
  Entry& entry = *entries_.back();
  entry.name = std::move(name);
  entry.path = std::move(path);
  entry.file.name = entry.name;
  if (entry.path.empty()) return;
  read_description(entry.path, entry.file);
  if (const int64_t limit = options_.settings.engine.context_length; limit > 0)
    entry.file.context_length = limit;
}

void ModelHost::add_loaded(std::shared_ptr<ServedModel> model) {
  add(model->name(), {});
  const std::lock_guard lock(mutex_);
  entries_.back()->model = std::move(model);
}

/// Under mutex_: unloads idle models until one more may be loaded.
void ModelHost::make_room() {
  while (true) {
    size_t loaded = 0;
    Entry* oldest = nullptr;
    for (const auto& entry : entries_) {
      if ((!entry->model && !entry->is_loading) || entry->path.empty()) continue;
      ++loaded;
      if (entry->is_loading || entry->model.use_count() > 1 || entry->model->active_requests() > 0) continue;
      if (oldest == nullptr || entry->model->last_use() < oldest->model->last_use()) oldest = entry.get();
    }
    if (loaded < options_.loaded_at_most) return;
    if (oldest == nullptr) {
      ApiError error(503, "model", "model_busy",
                     "another model is loading or answering; there is room for no second one");
      error.headers.push_back({"Retry-After", "5"});
      throw error;
    }
    if (options_.log) options_.log(fmt::format("unloading {} to make room", oldest->name));
    oldest->model.reset();
  }
}

ModelHost::Choice ModelHost::choose(const std::string& name) {
  try {
    return find(name);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::out_of_memory) throw;
    if (options_.log) options_.log(fmt::format("model '{}' cannot be loaded: {}", name, error.what()));
    throw ApiError(
        500, "model", "model_load_failed",
        fmt::format("model: '{}' cannot be loaded; the server's log says why", name.substr(0, 200)));
  }
}

ModelHost::Choice ModelHost::find(const std::string& name) {
  Choice choice;
  Entry* wanted = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::string names;
    for (const auto& entry : entries_) {
      const bool adapted =
          std::ranges::find(entry->adapters, name, &AdapterLocation::name) != entry->adapters.end();
      const bool other_name = std::ranges::find(entry->aliases, name) != entry->aliases.end();
      if (name.empty() || entry->name == name || other_name || adapted) {
        wanted = entry.get();
        choice.name = adapted || other_name ? name : entry->name;
        break;
      }
      names += (names.empty() ? "" : ", ") + entry->name;
      for (const std::string& alias : entry->aliases) names += ", " + alias;
      for (const AdapterLocation& adapter : entry->adapters) names += ", " + adapter.name;
    }
    if (wanted == nullptr) {
      throw ApiError(
          404, "model", "model_not_found",
          fmt::format("model: '{}' is not served here; there are: {}", name.substr(0, 200), names));
    }
  }
  choice.model = load(*wanted);
  choice.adapter = choice.model->adapter(choice.name);
  return choice;
}

std::shared_ptr<ServedModel> ModelHost::load(Entry& entry) {
  const auto loaded = [&] {
    const std::lock_guard lock(mutex_);
    return entry.model;
  };
  if (auto model = loaded()) return model;
  const std::lock_guard loading(entry.loading);
  if (auto model = loaded()) return model;
  {
    const std::lock_guard lock(mutex_);
    make_room();
    entry.is_loading = true;
  }
  const auto end_loading = [&](std::shared_ptr<ServedModel> model) {
    const std::lock_guard lock(mutex_);
    entry.is_loading = false;
    entry.model = std::move(model);
  };
  if (options_.log) options_.log(fmt::format("loading {}", entry.name));
  try {
    std::shared_ptr<ServedModel> model =
        ServedModel::load(entry.name, entry.path, options_.settings, entry.adapters);
    end_loading(model);
    return model;
  } catch (...) {
    end_loading(nullptr);
    throw;
  }
}

std::vector<ModelHost::Description> ModelHost::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Description> result;
  for (const auto& entry : entries_) {
    Description description = entry->file;
    if (entry->model) {
      description.loaded = true;
      description.created = entry->model->created();
      description.context_length = entry->model->context_length();
      description.chat_template = entry->model->vocabulary().chat_template;
      description.can_think = entry->model->can_think();
    }
    result.push_back(description);
    for (const std::string& alias : entry->aliases) {
      result.push_back(description);
      result.back().name = alias;
    }
    for (const AdapterLocation& adapter : entry->adapters) {
      result.push_back(description);
      result.back().name = adapter.name;
      result.back().base = entry->name;
    }
  }
  return result;
}

std::vector<std::shared_ptr<ServedModel>> ModelHost::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServedModel>> result;
  for (const auto& entry : entries_) {
    if (entry->model) result.push_back(entry->model);
  }
  return result;
}

void ModelHost::unload_idle() {
  if (options_.idle_unload.count() <= 0) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& entry : entries_) {
    if (!entry->model || entry->path.empty() || entry->model.use_count() > 1) continue;
    if (entry->model->active_requests() > 0 || now - entry->model->last_use() < options_.idle_unload)
      continue;
    if (options_.log) options_.log(fmt::format("unloading {}: unused", entry->name));
    entry->model.reset();
  }
}

}  // namespace r1::server
