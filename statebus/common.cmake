# SPDX-License-Identifier: Apache-2.0
# trivet-common: what every program of the project links: log, config, command line.
add_library(trivet-common STATIC log.c config.c config_document.c config_uplinks.c common.c
  holder.c privilege.c)
target_link_libraries(trivet-common PUBLIC statebus PkgConfig::CYAML PkgConfig::YAML Threads::Threads)
