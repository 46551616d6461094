# SPDX-License-Identifier: Apache-2.0
if(TARGET openflow)
  # What the tests share with each other and with the fuzz target.
  add_library(openflow-test STATIC
    fuzz/openflow_all.c fuzz/openflow_again.c unit/openflow_bytes.c
    unit/openflow_every.c unit/openflow_every_session.c unit/openflow_every_rules.c
    unit/openflow_every_stats.c)
  target_include_directories(openflow-test PUBLIC fuzz unit)
  target_link_libraries(openflow-test PUBLIC openflow PkgConfig::CMOCKA)
  foreach(test rules builder hostile golden each version10 parts print)
    trivet_unit_test(openflow_${test} SOURCES unit/openflow_${test}.c LIBS openflow-test)
  endforeach()
  trivet_unit_test(openflow_template SOURCES unit/openflow_template.c LIBS openflow)
  target_include_directories(openflow_template PRIVATE ${PROJECT_SOURCE_DIR}/controller/openflow)
  target_compile_definitions(openflow_golden PRIVATE
    TESTS_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
  # One of every message, for tests/system/openflow.bats.
  add_executable(openflow_hex unit/openflow_hex.c)
  target_link_libraries(openflow_hex PRIVATE openflow-test)
endif()
