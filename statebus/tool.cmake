# SPDX-License-Identifier: Apache-2.0
# statebus-tool: the program `statebus`; the target `statebus` is the library.
add_executable(statebus-tool tool.c tool_owners.c tool_text.c tool_ls.c tool_dump.c tool_watch.c
               tool_doctor.c tool_bridges.c tool_services.c)
set_target_properties(statebus-tool PROPERTIES OUTPUT_NAME statebus)
target_link_libraries(statebus-tool PRIVATE trivet-common statebus PkgConfig::CZMQ
                      PkgConfig::JANSSON)
install(TARGETS statebus-tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES statebus.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES trivet.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
