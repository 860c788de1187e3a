// R1_SANITIZED: this is a build with the address or thread sanitizer, which needs more of the system.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define R1_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define R1_SANITIZED 1
#endif
#endif
