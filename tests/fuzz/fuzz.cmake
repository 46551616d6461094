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
  SOURCES fuzz/fuzz_openflow.c fuzz/openflow_all.c ${openflow_sources})
