# SPDX-License-Identifier: Apache-2.0
trivet_unit_test(statebus-tables SOURCES unit/statebus_tables.c LIBS statebus)
foreach(name rows segment adopt flip step chaos mirror crowd forged mishaps)
  trivet_unit_test(statebus-${name} SOURCES unit/statebus_${name}.c unit/statebus_fixture.c LIBS statebus)
  target_include_directories(statebus-${name} PRIVATE ${PROJECT_SOURCE_DIR}/statebus)
endforeach()
foreach(name bus loss)
  trivet_unit_test(statebus-${name} SOURCES unit/statebus_${name}.c unit/statebus_roles.c
                   unit/statebus_fixture.c LIBS statebus)
  target_include_directories(statebus-${name} PRIVATE ${PROJECT_SOURCE_DIR}/statebus)
endforeach()
set_tests_properties(statebus-flip statebus-step statebus-chaos PROPERTIES TIMEOUT 600) # full tier
set_tests_properties(statebus-flip PROPERTIES COST 30) # among the longest: it begins early

include(bench/statebus.cmake OPTIONAL)
