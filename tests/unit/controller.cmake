# SPDX-License-Identifier: Apache-2.0
# The real controller as a child, switches played by the test: see unit/fake_switch.h.
add_library(fake-switch STATIC unit/fake_switch.c unit/fake_net.c)
target_include_directories(fake-switch PUBLIC unit)
target_link_libraries(fake-switch PUBLIC openflow statebus PkgConfig::CMOCKA)
target_compile_definitions(fake-switch PRIVATE CONTROLLER="$<TARGET_FILE:trivet-controller>")
foreach(test controller_handshake controller_topology controller_forwarding controller_rules
             controller_restart controller_multicast controller_errors controller_hostile
             controller_statistics)
  trivet_unit_test(${test} SOURCES unit/${test}.c LIBS fake-switch)
  add_dependencies(${test} trivet-controller)
endforeach()
trivet_unit_test(controller_rows SOURCES unit/controller_rows.c LIBS trivet-decide)
trivet_unit_test(controller_fdb SOURCES unit/controller_fdb.c LIBS trivet-decide)
trivet_unit_test(controller_abuse SOURCES unit/controller_abuse.c unit/inside.c LIBS trivet-decide)
trivet_unit_test(controller_standing SOURCES unit/controller_standing.c unit/inside.c LIBS trivet-decide)
trivet_unit_test(controller_tls SOURCES unit/controller_tls.c LIBS fake-switch PkgConfig::SSL)
add_dependencies(controller_tls trivet-controller)
# They wait for time-outs most of the time: first of all, beside the others.
set_tests_properties(controller_hostile controller_statistics controller_restart controller_handshake
                     controller_errors PROPERTIES COST 30)
