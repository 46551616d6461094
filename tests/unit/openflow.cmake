# SPDX-License-Identifier: Apache-2.0
if(TARGET openflow)
  trivet_unit_test(openflow_codec
    SOURCES unit/openflow_codec.c fuzz/openflow_all.c fuzz/openflow_again.c LIBS openflow)
  trivet_unit_test(openflow_golden
    SOURCES unit/openflow_golden.c fuzz/openflow_all.c fuzz/openflow_again.c LIBS openflow)
  trivet_unit_test(openflow_template SOURCES unit/openflow_template.c LIBS openflow)
  target_include_directories(openflow_template PRIVATE ${PROJECT_SOURCE_DIR}/controller/openflow)
  foreach(test openflow_codec openflow_golden)
    target_include_directories(${test} PRIVATE fuzz)
  endforeach()
  target_compile_definitions(openflow_golden PRIVATE
    TESTS_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
endif()
