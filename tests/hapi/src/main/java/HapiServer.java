import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.provider.JpaSystemProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.test.config.TestHSearchAddInConfig;
import ca.uhn.fhir.jpa.test.config.TestR4Config;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import java.net.InetSocketAddress;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/** A HAPI FHIR JPA server (R4, database in memory) at http://127.0.0.1:PORT/fhir; it prints READY. */
public class HapiServer {
  public static void main(String[] arguments) throws Exception {
    int port = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 8181;
    Server jetty = new Server(new InetSocketAddress("127.0.0.1", port));
    ServletContextHandler handler = new ServletContextHandler();
    handler.addServlet(new ServletHolder(fhirServer("http://127.0.0.1:" + port + "/fhir")), "/fhir/*");
    jetty.setHandler(handler);
    jetty.start();
    System.out.println("READY http://127.0.0.1:" + port + "/fhir");
    jetty.join();
  }

  private static RestfulServer fhirServer(String base) {
    AnnotationConfigApplicationContext beans =
        new AnnotationConfigApplicationContext(TestR4Config.class, TestHSearchAddInConfig.NoFT.class);
    beans.getBean(JpaStorageSettings.class).setEnforceReferentialIntegrityOnWrite(false);
    RestfulServer server = new RestfulServer(beans.getBean(FhirContext.class));
    server.registerProviders(
        beans.getBean("myResourceProvidersR4", ResourceProviderFactory.class).createProviders());
    server.registerProvider(beans.getBean(JpaSystemProvider.class));
    DatabaseBackedPagingProvider paging = beans.getBeanFactory().createBean(DatabaseBackedPagingProvider.class);
    paging.setDefaultPageSize(20); // as in HAPI's own starter project, and the maximum too
    paging.setMaximumPageSize(200);
    server.setPagingProvider(paging);
    server.setDefaultResponseEncoding(EncodingEnum.JSON);
    server.setServerAddressStrategy(new HardcodedServerAddressStrategy(base));
    return server;
  }
}
