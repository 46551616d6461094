# SPDX-License-Identifier: Apache-2.0
# Fuzz targets (clang, -DTRIVET_FUZZ=ON). The library is compiled again with coverage for the fuzzer.
function(trivet_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
endfunction()

if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "TRIVET_FUZZ needs clang")
endif()
get_target_property(openflow_sources openflow SOURCES)
get_target_property(openflow_dir openflow SOURCE_DIR)
list(TRANSFORM openflow_sources PREPEND ${openflow_dir}/)
trivet_fuzz_target(fuzz_openflow
  SOURCES fuzz/fuzz_openflow.c fuzz/openflow_all.c fuzz/openflow_again.c ${openflow_sources})

trivet_fuzz_target(controller_fuzz SOURCES fuzz/controller_fuzz.c)
target_include_directories(controller_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/controller)

# The controller's connections, worker and topology; the state bus is linked as it is.
get_target_property(decide_sources trivet-decide SOURCES)
get_target_property(decide_dir trivet-decide SOURCE_DIR)
list(TRANSFORM decide_sources PREPEND ${decide_dir}/)
trivet_fuzz_target(connection_fuzz
  SOURCES fuzz/connection_fuzz.c ${decide_sources} ${openflow_sources}
  LIBS statebus trivet-common PkgConfig::SSL PkgConfig::CRYPTO Threads::Threads)
target_include_directories(connection_fuzz PRIVATE ${decide_dir})

set(agent_dir ${PROJECT_SOURCE_DIR}/agent)
trivet_fuzz_target(agent_fuzz
  SOURCES fuzz/agent_fuzz.c ${agent_dir}/stamp.c ${agent_dir}/beacon.c ${agent_dir}/session.c
          ${agent_dir}/window.c ${agent_dir}/histogram.c)
target_include_directories(agent_fuzz PRIVATE ${agent_dir})

# The checker's engine and readers; its bus and live capture are linked as they are.
get_target_property(pcapcheck_sources pcapcheck-core SOURCES)
get_target_property(pcapcheck_dir pcapcheck-core SOURCE_DIR)
list(FILTER pcapcheck_sources INCLUDE REGEX "dissect|identity|points|net|flows|engine|checks/|reader|pcapng")
list(TRANSFORM pcapcheck_sources PREPEND ${pcapcheck_dir}/)
trivet_fuzz_target(pcapcheck_fuzz SOURCES fuzz/pcapcheck_fuzz.c ${pcapcheck_sources}
                   LIBS pcapcheck-core)
